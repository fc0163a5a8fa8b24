package taskmanager

import (
	"context"
	"errors"
	"sync"
)

// ResultGroup is a [Group] whose tasks return results. [NewResultGroup] makes one. It is
// safe for concurrent use.
type ResultGroup[R any] struct {
	group Group

	mu sync.Mutex // guards the results of all rounds; locked after group.mu
}

// resultsLocked returns the results of a round, in the order of the submits. g.mu must be
// held.
func (g *ResultGroup[R]) resultsLocked(r *round) *[]*R {
	if r.results == nil {
		r.results = new([]*R)
	}
	return r.results.(*[]*R)
}

// NewResultGroup returns a new group of tasks of m that return results. It is otherwise
// like [TaskManager.Group].
func NewResultGroup[R any](ctx context.Context, m *TaskManager, opts ...GroupOption) *ResultGroup[R] {
	g := &ResultGroup[R]{group: Group{m: m, ctx: ctx}}
	g.group.init(opts)
	if m == nil {
		g.group.fault = errors.Join(g.group.fault, errors.New("taskmanager: NewResultGroup: nil manager; Start makes one"))
	}
	return g
}

// Go submits fn as a task with the given name, as [Group.Go] does. An execution whose fn
// returns an error, panics or calls [runtime.Goexit] sets no result.
func (g *ResultGroup[R]) Go(name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) error {
	if g.group.fault != nil {
		return g.group.fault
	}
	result := new(R)
	defer g.group.begin(func(r *round) {
		g.mu.Lock()
		defer g.mu.Unlock()
		all := g.resultsLocked(r)
		*all = append(*all, result)
	})()
	if fn == nil {
		return g.group.submit(name, nil, ErrNilTask, opts)
	}
	return g.group.submit(name, closure(func(ctx context.Context) error {
		r, err := fn(ctx)
		if err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		*result = r
		return nil
	}), nil, opts)
}

// Wait waits as [Group.Wait] does, and returns its error and the results in the order of
// the submits. The result is the zero value for a function that has not returned or has not
// succeeded, and for a submit that failed. Each Wait that begins before the next submit
// returns the same results.
func (g *ResultGroup[R]) Wait(ctx context.Context) ([]R, error) {
	r, err := g.group.wait(ctx)
	if r == nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	all := *g.resultsLocked(r)
	results := make([]R, len(all))
	for i, r := range all {
		results[i] = *r
	}
	return results, err
}
