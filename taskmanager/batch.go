package taskmanager

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// SubmitAll submits tasks in their order, all of them or none: after an error none will
// run. The options are those of each task.
//
// In a manager with a limit it waits for room for all at once under Block; more than the
// limit and all workers could ever take are refused with ErrQueueFull. Under Reject
// they are too where there is no room for all. The other policies take all, and drop
// or run those that are too many.
//
// No tasks at all are no error, and need no manager.
//
// Errors: those of Submit; ErrAlreadyExists, with the name, also for two of one name
// among the tasks; and faults of tasks, with their places, the first being 1.
func (m *TaskManager) SubmitAll(ctx context.Context, tasks []Task, opts ...TaskOption) ([]*Handle, error) {
	if ctx == nil {
		return nil, ErrNilContext
	}
	handles := make([]*Handle, len(tasks))
	var faults []error
	for i, task := range tasks {
		h := new(Handle)
		name, err := nameOf(task)
		if err == nil {
			err = m.prepare(ctx, h, name, task, opts, nil)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: SubmitAll: task %d: %w", i+1, err))
		}
		h.state = admitting // nobody else may end it before all are in
		handles[i] = h
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err := m.launchAll(ctx, handles); err != nil {
		return nil, err
	}
	return handles, nil
}

// launchAll is launch for several prepared tasks, which all have the same options. After
// an error all names are free again.
func (m *TaskManager) launchAll(ctx context.Context, handles []*Handle) (err error) {
	if len(handles) == 0 {
		return nil
	}
	if m.observers.submit != nil {
		for _, h := range handles {
			s, onto := m.beginSubmit(ctx, h)
			defer func() { m.endSubmit(onto, s, err) }()
		}
	}
	if err := m.reserveAll(handles); err != nil {
		return err
	}
	postponed := handles[0].cfg.delays()
	for _, h := range handles {
		if h.cfg != nil {
			m.arm(ctx, h, postponed)
		}
	}
	if postponed {
		var faults []error
		for _, h := range handles {
			faults = append(faults, m.delay(h))
		}
		return errors.Join(faults...)
	}
	if err := m.offerAll(ctx, handles); err != nil {
		err = batchError(handles, err)
		for _, h := range handles {
			m.refuse(h, err, nil)
		}
		return err
	}
	for _, h := range handles {
		m.admitted(h)
	}
	return nil
}

// reserveAll reserves the names of all tasks, or of none.
func (m *TaskManager) reserveAll(handles []*Handle) error {
	now := m.now()
	for i, h := range handles {
		h.queuedAt = now
		if err := m.reserve(h); err != nil {
			for _, reserved := range handles[:i] {
				m.refuse(reserved, err, nil)
			}
			return err
		}
	}
	return nil
}

// batch is tasks that are submitted together, under CallerRuns: those that there is no
// room for run one after another, so each needs the end of the one before.
type batch struct{ running atomic.Pointer[Handle] }

// offerAll offers tasks to the pool, and waits for room, or runs them, where that is
// the policy.
func (m *TaskManager) offerAll(ctx context.Context, handles []*Handle) error {
	switch {
	case m.blocks:
		return m.untilCancelled(ctx, handles, func(ctx context.Context) error { return m.pool.SubmitTogether(ctx, handles) })
	case m.callerRuns:
		b := new(batch)
		for _, h := range handles {
			m.batches.Store(h, b)
			defer m.batches.Delete(h)
		}
	}
	return m.pool.SubmitTogether(ctx, handles)
}
