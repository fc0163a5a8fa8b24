package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// errLeaseLost is why an execution is cancelled whose task may run elsewhere now, or was removed.
var errLeaseLost = errors.New("the lease of the task is lost")

// worker runs tasks of a store on a manager. It is the adapter.
type worker struct {
	store   store
	manager *taskmanager.TaskManager
	// handlers execute the tasks, by kind. Tasks of other kinds stay in the store.
	handlers map[string]func(context.Context, task) error
	policy   restart.Policy

	valid   time.Duration // how long a lease lasts; it is renewed each quarter of that
	poll    time.Duration // how long to wait after the store had nothing
	crashes int           // a task is buried after this number of lost leases in a row

	mu sync.Mutex
	// held are the leases by token, from when the store has granted them until they are settled.
	held      map[int64]*holding
	unsettled sync.WaitGroup // counts them
}

// holding is a lease that this process has.
type holding struct {
	lease
	handle    *taskmanager.Handle // nil until the submit has returned
	confirmed time.Time           // when the last request was sent that the store has granted
}

// run pulls tasks until ctx ends or the manager is drained or stopped. It returns when the tasks that it
// has taken have ended and are settled.
func (w *worker) run(ctx context.Context) error {
	w.held = make(map[int64]*holding)
	always := context.WithoutCancel(ctx) // what has been taken is settled in any case
	beating, stop := context.WithCancel(always)
	var heart sync.WaitGroup
	heart.Go(func() { w.beat(beating) })

	err := w.pull(ctx, always)
	w.unsettled.Wait()
	stop()
	heart.Wait()
	return err
}

// pull takes no more tasks than there are free workers. So the others stay in the store, for processes
// that have time for them.
func (w *worker) pull(ctx, always context.Context) error {
	kinds := slices.Collect(maps.Keys(w.handlers))
	for {
		room, err := w.manager.WaitRoom(ctx, 0)
		if err != nil {
			return err // the manager is drained or stopped, or ctx has ended
		}
		sent := time.Now()
		taken, err := w.store.lease(ctx, kinds, room, w.valid)
		for _, l := range taken {
			w.submit(always, l, sent)
		}
		if err == nil && len(taken) > 0 {
			continue
		}
		// A real adapter is woken by the store, by LISTEN in PostgreSQL or BLPOP in Redis, and polls only
		// in case it has missed that.
		select {
		case <-time.After(w.poll):
		case <-ctx.Done():
		}
	}
}

// submit hands a task to the manager.
func (w *worker) submit(ctx context.Context, l lease, sent time.Time) {
	w.mu.Lock()
	w.held[l.token] = &holding{lease: l, confirmed: sent}
	w.unsettled.Add(1)
	w.mu.Unlock()

	if l.crashes >= w.crashes {
		w.settle(ctx, l, errors.New("its lease was lost too often; does it kill its process?"))
		return
	}
	// The executions that ended with their process have no other record.
	l.history.Attempts += l.crashes
	h, err := w.manager.SubmitFunc(ctx, l.name,
		func(ctx context.Context) error { return w.handlers[l.kind](ctx, l.task) },
		taskmanager.WithKind(l.kind),
		taskmanager.WithOrigin(l.history),
		taskmanager.WithRestart(w.policy),
		// The function holds up a worker of the manager, so the request to the store is made elsewhere.
		taskmanager.WithOnEnd(func(h *taskmanager.Handle) { go w.settle(ctx, l, h.Err()) }))
	if err != nil {
		w.settle(ctx, l, err) // it was not accepted, so the function is not called
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if held := w.held[l.token]; held != nil {
		held.handle = h // and otherwise the task has ended already
	}
}

// settle tells the store what became of a task. If the store does not hear it, the lease runs out and
// the task runs again: a store delivers at least once, and tasks must bear that.
func (w *worker) settle(ctx context.Context, l lease, end error) {
	switch again, handedOver := errors.AsType[*taskmanager.HandedOver](end); {
	case end == nil:
		_ = w.store.complete(ctx, l)
	case handedOver: // it failed and may try again, or it returned NotYet
		_ = w.store.giveBack(ctx, l, again.State)
	case errors.Is(end, errLeaseLost):
		// The task is another's, or cancelled.
	case errors.Is(end, taskmanager.ErrStopped), errors.Is(end, taskmanager.ErrQueueFull):
		// It has not run here, or not to its end. Another process takes it at once.
		l.history.Delay = 0
		_ = w.store.giveBack(ctx, l, l.history)
	case errors.Is(end, taskmanager.ErrAlreadyExists):
		// This process had the task before, and the execution that has lost its lease still goes on.
		l.history.Delay = w.valid
		_ = w.store.giveBack(ctx, l, l.history)
	default:
		_ = w.store.bury(ctx, l, end.Error())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, l.token)
	w.unsettled.Done()
}

// beat renews the leases until ctx ends.
func (w *worker) beat(ctx context.Context) {
	tick := time.NewTicker(w.valid / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renew renews the leases, and cancels each execution that may have none. This happens well before
// another process can take the task, but it is the best that can be done: a task that ignores its
// context, or a process that stands still, overlaps with its successor.
func (w *worker) renew(ctx context.Context) {
	var ls []lease
	w.mu.Lock()
	for _, h := range w.held {
		ls = append(ls, h.lease)
	}
	w.mu.Unlock()

	sent := time.Now()
	ctx, cancel := context.WithTimeout(ctx, w.valid/4) // a store that hangs has failed
	defer cancel()
	lost, err := w.store.renew(ctx, ls, w.valid)

	for _, h := range w.doubtful(ls, lost, sent, err) {
		h.CancelCause(errLeaseLost)
	}
}

// doubtful notes what a request to renew leases has brought, and returns the tasks that must end.
func (w *worker) doubtful(asked, lost []lease, sent time.Time, err error) (tasks []*taskmanager.Handle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range asked {
		h := w.held[l.token]
		switch {
		case h == nil: // settled meanwhile
		case err == nil && !slices.ContainsFunc(lost, func(o lease) bool { return o.token == l.token }):
			h.confirmed = sent
		case h.handle == nil: // about to be submitted, and cancelled at the next beat
		case err == nil, time.Since(h.confirmed) >= w.valid/2:
			tasks = append(tasks, h.handle)
		}
	}
	return tasks
}
