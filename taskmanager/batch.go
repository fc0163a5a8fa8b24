package taskmanager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// SubmitAll submits tasks in order, all of them or none. The options apply to each task.
// An empty list is not an error, even if the manager is nil or stopped.
//
// If the manager has a limit and there is no room for all tasks, the overflow policy
// applies. Under [Block], SubmitAll waits until there is room for all of them at once, or the
// first of them starts; the others may then exceed the limit. It returns [ErrQueueFull] if
// they exceed the limit plus the maximum of workers. Under [Reject] it
// returns ErrQueueFull. The other policies accept all tasks, and drop or run those
// without room.
//
// After an error no task will run. The errors are those of [TaskManager.Submit].
// [ErrAlreadyExists] names the task, also if two of the tasks have the same name. A fault
// of a task states its position in the list, counted from 1.
func (m *TaskManager) SubmitAll(ctx context.Context, tasks []Task, opts ...TaskOption) ([]*Handle, error) {
	if ctx == nil {
		return nil, ErrNilContext
	}
	handles := make([]*Handle, len(tasks))
	var faults []error
	for i, task := range tasks {
		name, err := nameOf(task)
		h := m.newHandle(name, task)
		if err == nil {
			err = m.prepare(ctx, h, opts, nil)
		}
		if err == nil {
			err = cmp.Or(h.cfg.batchDuplicateFault(), h.cfg.batchOriginFault())
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("taskmanager: SubmitAll: task %d: %w", i+1, bare(err)))
		}
		h.word.Init(admitting, h.cfg != nil) // no cancellation may end it before all are accepted
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

// launchAll is launch for several prepared tasks with the same options. After an error
// all names are free again.
func (m *TaskManager) launchAll(ctx context.Context, handles []*Handle) (err error) {
	if len(handles) == 0 {
		return nil
	}
	set := m.presentObservers()
	for _, h := range handles {
		if h.word.Observe(set.id); set.submit != nil {
			m.uniqueIfFree(h)
			s, onto := m.beginSubmit(ctx, h, set)
			defer func() { m.endSubmit(onto, h, set, s, err) }()
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
		for _, h := range handles {
			m.delay(h)
		}
		return nil
	}
	if err := m.offerAll(ctx, handles); err != nil {
		err = batchError(handles, err)
		for _, h := range handles {
			m.refuse(h, err, refused)
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
		err := m.names.Add(h.name, h, &h.place)
		if err != nil {
			err = m.addRenamed(h, err)
		}
		if err != nil {
			for _, reserved := range handles[:i] {
				m.refuse(reserved, err, refused)
			}
			return err
		}
	}
	return nil
}

// offerAll is offer for several tasks.
func (m *TaskManager) offerAll(ctx context.Context, handles []*Handle) error {
	handles, surplus, err := m.lineUp(handles)
	if err != nil {
		return err
	}
	if err := m.offerTogether(ctx, handles); err != nil {
		return err
	}
	for _, h := range surplus {
		m.drop(h)
	}
	return nil
}

func (m *TaskManager) offerTogether(ctx context.Context, handles []*Handle) error {
	switch {
	case m.blocks:
		return m.untilCancelled(ctx, handles, func(ctx context.Context) error { return m.pool.SubmitTogether(ctx, handles) })
	case m.callerRuns:
		defer m.submitInline(ctx, handles)()
	}
	return m.pool.SubmitTogether(ctx, handles)
}
