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

	mu      sync.Mutex // guards results; locked after group.mu
	results []*R       // in the order of the submits
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
	defer g.group.begin(func(renewed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if renewed {
			g.results = nil
		}
		g.results = append(g.results, result)
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
// succeeded, and for a submit that failed. Until the next submit, Wait returns the same
// results again.
func (g *ResultGroup[R]) Wait(ctx context.Context) ([]R, error) {
	err := g.group.Wait(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	results := make([]R, len(g.results))
	for i, r := range g.results {
		results[i] = *r
	}
	return results, err
}
