package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// memory is a store in memory, with the statements of a database written as Go.
type memory struct {
	mu sync.Mutex
	// rows are the outstanding tasks by name. The token of a row that no lease holds is zero.
	rows map[string]*row
	// dead are the reasons of the tasks that have failed for good.
	dead map[string]string
	// tokens is the last token. It only grows.
	tokens int64
}

// row is an outstanding task.
type row struct {
	lease
	// due is when the task may be taken: at the end of its delay, or of its lease.
	due time.Time
}

var _ store = (*memory)(nil)

func newMemory() *memory {
	return &memory{rows: make(map[string]*row), dead: make(map[string]string)}
}

func (m *memory) insert(_ context.Context, t task, due time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows[t.name] != nil {
		return errExists
	}
	if now := time.Now(); due.Before(now) {
		due = now
	}
	m.rows[t.name] = &row{lease: lease{task: t, history: restart.State{QueuedAt: due}}, due: due}
	return nil
}

func (m *memory) remove(_ context.Context, name string) (found bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found = m.rows[name] != nil
	delete(m.rows, name)
	return found, nil
}

func (m *memory) lease(_ context.Context, kinds []string, n int, valid time.Duration) ([]lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var taken []lease
	for _, r := range slices.SortedFunc(maps.Values(m.rows), func(a, b *row) int { return a.due.Compare(b.due) }) {
		if len(taken) == n || r.due.After(now) {
			break
		}
		if !slices.Contains(kinds, r.kind) {
			continue
		}
		if r.token != 0 {
			r.crashes++ // nobody has settled or renewed that lease
		}
		m.tokens++
		r.token, r.due = m.tokens, now.Add(valid)
		taken = append(taken, r.lease)
	}
	return taken, nil
}

func (m *memory) renew(_ context.Context, ls []lease, valid time.Duration) (lost []lease, err error) {
	for _, l := range ls {
		if m.update(l, func(r *row) { r.due = time.Now().Add(valid) }) != nil {
			lost = append(lost, l)
		}
	}
	return lost, nil
}

func (m *memory) complete(_ context.Context, l lease) error {
	return m.update(l, func(*row) { delete(m.rows, l.name) })
}

func (m *memory) giveBack(_ context.Context, l lease, history restart.State) error {
	return m.update(l, func(r *row) {
		r.token, r.crashes, r.history = 0, 0, history
		r.due = time.Now().Add(history.Delay)
	})
}

func (m *memory) bury(_ context.Context, l lease, reason string) error {
	return m.update(l, func(*row) {
		delete(m.rows, l.name)
		m.dead[l.name] = reason
	})
}

// update is "UPDATE … WHERE name = … AND token = …", which fails if it finds no row.
func (m *memory) update(l lease, change func(*row)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[l.name]
	if r == nil || r.token != l.token {
		return errLost
	}
	change(r)
	return nil
}
