package taskmanager_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// options returns random options for a task, and records them.
func (t *soakTask) options(random *rand.Rand) (opts []taskmanager.TaskOption) {
	some := func(bound int) time.Duration { return time.Duration(1+random.IntN(bound)) * time.Microsecond }
	if random.IntN(8) == 0 {
		t.timeout = true
		opts = append(opts, taskmanager.WithTimeout(some(3000)))
	}
	if random.IntN(8) == 0 {
		t.queueTimeout = true
		opts = append(opts, taskmanager.WithQueueTimeout(some(3000)))
	}
	if random.IntN(8) == 0 {
		t.deadline = true
		opts = append(opts, taskmanager.WithDeadline(time.Now().Add(some(5000)-some(200))))
	}
	switch random.IntN(16) {
	case 0, 1:
		opts = append(opts, taskmanager.WithDelay(some(3000)))
	case 2:
		opts = append(opts, taskmanager.WithNotBefore(time.Now().Add(some(3000)-some(1000))))
	}
	if random.IntN(10) == 0 {
		t.keyed = true
		opts = append(opts, taskmanager.WithPriority(random.IntN(5)), taskmanager.WithKey("other"))
	}
	if random.IntN(10) == 0 {
		t.kind, t.cost = "given", int64(1+random.IntN(9))
		opts = append(opts, taskmanager.WithKind(t.kind), taskmanager.WithCost(t.cost))
	}
	if random.IntN(10) == 0 {
		opts = append(opts, taskmanager.WithRestart(brisk{}))
	}
	if random.IntN(5) == 0 {
		t.linked = true
		opts = append(opts, taskmanager.WithLinkedContext())
	}
	return slices.Concat(opts, t.inherit(random), t.onEnd(random), t.needs(random))
}

// share takes over the options of another task that is submitted together with t.
func (t *soakTask) share(first *soakTask) {
	t.timeout, t.queueTimeout, t.deadline, t.linked = first.timeout, first.queueTimeout, first.deadline, first.linked
	t.tells, t.keyed, t.kind, t.cost = first.tells, first.keyed, first.kind, first.cost
}

// plain forgets the options, for a submit that takes none.
func (t *soakTask) plain() {
	t.timeout, t.queueTimeout, t.deadline, t.linked, t.tells, t.keyed = false, false, false, false, false, false
	t.kind, t.cost, t.memory, t.places = "", 0, 0, 0
}

// mayFillKey reports whether the submit may be refused because of its key.
func (t *soakTask) mayFillKey() bool {
	return t.x.keyed && t.x.keyOverflow == taskmanager.Reject && (t.Key() != "" || t.keyed)
}

// dueTask is a task with a kind, and with a deadline for the order.
type dueTask struct{ *soakTask }

func (dueTask) Kind() string                  { return "due" }
func (t dueTask) Deadline() (time.Time, bool) { return time.Now(), t.seed%2 == 0 }

// asTask returns t, or a task with further methods.
func (t *soakTask) asTask(random *rand.Rand) taskmanager.Task {
	if random.IntN(3) > 0 {
		return t
	}
	if t.kind == "" {
		t.kind = "due"
	}
	return dueTask{t}
}

// submit submits a task in a random way.
func (d *driver) submit() {
	t := d.newTask(d.random, d.random.IntN(soakNames), nil)
	opts := t.options(d.random)
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if d.random.IntN(3) == 0 {
		ctx, cancel = d.brief()
	}
	var h *taskmanager.Handle
	var err error
	switch d.random.IntN(7) {
	case 0:
		h, err = d.m.SubmitFunc(ctx, t.name, t.Execute, opts...)
		t.accept("SubmitFunc", h, err)
	case 1:
		h, err = d.m.TrySubmit(ctx, t.asTask(d.random), opts...)
		t.accept("TrySubmit", h, err)
	case 2:
		begin := time.Now()
		h, err = d.m.TrySubmitFunc(ctx, t.name, t.Execute, opts...)
		t.accept("TrySubmitFunc", h, err)
		if took := time.Since(begin); took > soakHang/3 {
			d.fail("TrySubmitFunc took %v", took)
		}
	case 3:
		t.plain()
		d.goes(t)
	default:
		h, err = d.m.Submit(ctx, t.asTask(d.random), opts...)
		t.accept("Submit", h, err)
	}
	if h != nil {
		if h.Name() != t.name {
			d.fail("the handle of %q is that of %q", t.name, h.Name())
		}
		d.handles = append(d.handles, h)
	}
	if d.random.IntN(2) == 0 {
		cancel()
	} else {
		context.AfterFunc(ctx, cancel) // let ctx expire
	}
}

// goes submits a task by one of the methods that return a channel.
func (d *driver) goes(t *soakTask) {
	var started <-chan struct{}
	var err error
	if d.random.IntN(2) == 0 {
		started, err = d.m.Go(t)
		t.accept("Go", nil, err)
	} else {
		started, err = d.m.GoFunc(t.name, t.Execute)
		t.accept("GoFunc", nil, err)
	}
	if (err == nil) != (started != nil) {
		d.fail("Go returned the channel %v and the error %v", started, err)
	}
	if err == nil {
		t.started = started
	}
}
