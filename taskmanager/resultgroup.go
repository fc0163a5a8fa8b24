package taskmanager

import (
	"context"
	"errors"
	"sync"
)

// ResultGroup is a group of tasks that have results. It is safe for concurrent use.
type ResultGroup[R any] struct {
	group Group

	mu      sync.Mutex // taken after that of the group
	results []*R       // in the order of the submits
}

// NewResultGroup makes a group of tasks of m that have results; see TaskManager.Group.
func NewResultGroup[R any](ctx context.Context, m *TaskManager, opts ...GroupOption) *ResultGroup[R] {
	g := &ResultGroup[R]{group: Group{m: m, ctx: ctx}}
	g.group.init(opts)
	if m == nil {
		g.group.fault = errors.Join(g.group.fault, errors.New("taskmanager: NewResultGroup: nil manager; Start makes one"))
	}
	return g
}

// Go submits a function with a name, as Group.Go does.
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

// Wait waits as Group.Wait does, and returns the results in the order of the submits:
// zero values for functions that have returned an error, or not returned, and for submits
// that have failed. So does each further Wait, until the next submit.
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
