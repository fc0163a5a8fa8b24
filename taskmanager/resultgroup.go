package taskmanager

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ResultGroup is a [Group] whose tasks return results. [NewResultGroup] makes one. It is
// safe for concurrent use.
type ResultGroup[R any] struct {
	taskGroup

	values sync.Mutex // guards the results of all rounds; locked after mu
}

// resultsLocked returns the results of a round, in the order of the submits. g.values must be
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
	g := &ResultGroup[R]{taskGroup: taskGroup{m: m, ctx: ctx}}
	g.init(opts)
	if m == nil {
		g.fault = errors.Join(g.fault, errors.New("taskmanager: NewResultGroup: nil manager; Start makes one"))
	}
	return g
}

// Go submits fn as a task with the given name, as [Group.Go] does. An execution whose fn
// returns an error, panics or calls [runtime.Goexit] sets no result.
func (g *ResultGroup[R]) Go(name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) error {
	return g.addFunc(groupSubmit{name: name, opts: opts}, fn)
}

// TryGo is [ResultGroup.Go] without waiting, as [Group.TryGo] is for [Group.Go]. If it returns
// [ErrQueueFull], the task has no place among the results.
func (g *ResultGroup[R]) TryGo(name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) error {
	return g.addFunc(groupSubmit{name: name, opts: opts, how: noWait}, fn)
}

// GoContext is [ResultGroup.Go] with a context that ends only the wait for room; see
// [Group.GoContext]. If it returns an error because ctx has ended, the task has no place among the
// results.
func (g *ResultGroup[R]) GoContext(ctx context.Context, name string, fn func(ctx context.Context) (R, error), opts ...TaskOption) error {
	return g.addFunc(groupSubmit{name: name, opts: opts}.within(ctx), fn)
}

// addFunc submits fn, and stores its result.
func (g *ResultGroup[R]) addFunc(s groupSubmit, fn func(ctx context.Context) (R, error)) error {
	result := new(R)
	s.note = func(r *round, in bool) {
		g.values.Lock()
		defer g.values.Unlock()
		all := g.resultsLocked(r)
		if in {
			*all = append(*all, result)
			return
		}
		for i, other := range slices.Backward(*all) { // it is among the last ones, as a rule
			if other == result {
				*all = slices.Delete(*all, i, i+1)
				return
			}
		}
	}
	if fn == nil {
		return g.add(s.of(nil))
	}
	return g.add(s.of(func(ctx context.Context) error {
		r, err := fn(ctx)
		if err != nil {
			return err
		}
		g.values.Lock()
		defer g.values.Unlock()
		*result = r
		return nil
	}))
}

// Wait waits as [Group.Wait] does, and returns its error and the results in the order of
// the submits. The result is the zero value for a function that has not returned or has not
// succeeded, and for a submit that failed. Each Wait that begins before the next submit
// returns the same results.
func (g *ResultGroup[R]) Wait(ctx context.Context) ([]R, error) {
	r, err := g.wait(ctx)
	if r == nil {
		return nil, err
	}
	g.values.Lock()
	defer g.values.Unlock()
	all := *g.resultsLocked(r)
	results := make([]R, len(all))
	for i, r := range all {
		results[i] = *r
	}
	return results, err
}
