package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// driver is a user of a manager.
type driver struct {
	*life
	random    *rand.Rand
	handles   []*taskmanager.Handle
	schedules []*taskmanager.Schedule
}

// drive calls random methods until the manager ends, and for a while afterwards, as users
// do.
func (d *driver) drive() {
	for late := 0; late < 20; {
		if d.stopping.Load() {
			late++
		}
		ops := []func(){
			d.unique, d.batchMap,
			d.submit, d.submit, d.submit, d.submit, d.submit, d.submit,
			d.batch, d.future, d.inGroup, d.cancel, d.cancel, d.look, d.wait,
			d.idle, d.schedule, d.schedule, d.steer, d.steer, d.pause, d.size, d.tighten, d.describe,
			d.duplicate, d.duplicate, d.pauseWait, d.fetch,
			d.page, d.count,
		}
		if !d.enter() {
			return
		}
		ops[d.random.IntN(len(ops))]()
		d.leave()
		if d.random.IntN(4) == 0 {
			rest(context.Background(), time.Duration(d.random.IntN(300))*time.Microsecond)
		}
		runtime.Gosched()
	}
	for _, s := range d.schedules {
		if d.random.IntN(2) == 0 { // the other schedules end with the manager
			s.Stop()
		}
	}
}

// brief returns a context that ends soon.
func (d *driver) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(d.random.IntN(5000))*time.Microsecond)
}

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
	if random.IntN(8) == 0 {
		opts = append(opts, taskmanager.WithDelay(some(3000)))
	}
	if random.IntN(10) == 0 {
		opts = append(opts, taskmanager.WithPriority(random.IntN(5)), taskmanager.WithKey("other"))
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
	switch d.random.IntN(5) {
	case 0:
		h, err = d.m.SubmitFunc(ctx, t.name, t.Execute, opts...)
		t.accept("SubmitFunc", h, err)
	case 1:
		h, err = d.m.TrySubmit(ctx, t, opts...)
		t.accept("TrySubmit", h, err)
	case 2:
		t.timeout, t.queueTimeout, t.deadline, t.linked, t.tells = false, false, false, false, false
		t.memory, t.places = 0, 0
		var started <-chan struct{}
		started, err = d.m.Go(t)
		t.accept("Go", nil, err)
		if err == nil && started == nil {
			d.fail("Go returned no channel")
		}
	default:
		h, err = d.m.Submit(ctx, t, opts...)
		t.accept("Submit", h, err)
	}
	if h != nil {
		d.handles = append(d.handles, h)
	}
	if d.random.IntN(2) == 0 {
		cancel()
	} else {
		context.AfterFunc(ctx, cancel) // let ctx expire
	}
}

func (d *driver) batch() {
	ctx, cancel := d.brief()
	defer cancel()
	if d.random.IntN(4) == 0 {
		ctx = context.Background() // the batch must get room at some time
	}
	d.handles = append(d.handles, d.submitAll(ctx, d.random, nil)...)
}

// submitAll submits several tasks with the same options.
func (x *life) submitAll(ctx context.Context, random *rand.Rand, by *execution) []*taskmanager.Handle {
	var all []*soakTask
	var tasks []taskmanager.Task
	for range random.IntN(6) {
		t := x.newTask(random, random.IntN(4*soakNames)-3*soakNames, by)
		all, tasks = append(all, t), append(tasks, t)
	}
	var opts []taskmanager.TaskOption
	for i, t := range all {
		if i == 0 {
			opts = t.options(random)
			continue
		}
		t.timeout, t.queueTimeout, t.deadline, t.linked = all[0].timeout, all[0].queueTimeout, all[0].deadline, all[0].linked
		t.tells = all[0].tells
	}
	handles, err := x.m.SubmitAll(ctx, tasks, opts...)
	if err == nil && len(handles) != len(tasks) {
		x.fail("SubmitAll of %d tasks returned %d handles", len(tasks), len(handles))
		return nil
	}
	for i, t := range all {
		var h *taskmanager.Handle
		if err == nil {
			h = handles[i]
		}
		t.accept("SubmitAll", h, err)
	}
	return handles
}

func (d *driver) future() {
	ctx, cancel := d.brief()
	defer cancel()
	d.async(context.Background(), ctx, d.random, nil)
}

// async submits a task that returns a result, and waits for the result until ctx ends.
func (x *life) async(submit, ctx context.Context, random *rand.Rand, by *execution) {
	t := x.newTask(random, random.IntN(2*soakNames)-soakNames, by)
	f, err := taskmanager.Async(submit, x.m, t.name, func(ctx context.Context) (string, error) {
		return t.name, t.Execute(ctx)
	}, t.options(random)...)
	if err != nil {
		t.accept("Async", nil, err)
		return
	}
	t.accept("Async", &f.Handle, nil)
	result, err := f.Result(ctx)
	if err == nil && result != t.name || err != nil && result != "" {
		x.fail("the result of %q is %q, %v", t.name, result, err)
	}
}

func (d *driver) inGroup() {
	ctx, cancel := d.brief()
	defer cancel()
	groupCtx, done := d.brief()
	if d.random.IntN(2) == 0 {
		done()
		groupCtx, done = context.Background(), func() {}
	}
	defer done()
	d.group(groupCtx, ctx, d.random, nil)
}

// group submits a group of tasks, and waits for it until ctx ends.
func (x *life) group(groupCtx, ctx context.Context, random *rand.Rand, by *execution) {
	var opts []taskmanager.GroupOption
	collect := random.IntN(2) == 0
	if collect {
		opts = append(opts, taskmanager.WithCollect())
	}
	if random.IntN(2) == 0 {
		opts = append(opts, taskmanager.WithGroupLimit(1+random.IntN(3)))
	}
	g := taskmanager.NewResultGroup[string](groupCtx, x.m, opts...)
	var members []*soakTask // those with a result
	clean, cancelled := true, false
	for range 1 + random.IntN(5) {
		t := x.newTask(random, random.IntN(2*soakNames)-soakNames, by)
		t.grouped = true
		counts, err := x.toGroup(g, t, random)
		if counts {
			members = append(members, t)
			clean = clean && err == nil
		}
		cancelled = x.controlGroup(g, random) || cancelled
	}
	results, err := g.Wait(ctx)
	if ctx.Err() != nil || errors.Is(err, taskmanager.ErrWouldDeadlock) {
		return // the tasks may still run
	}
	x.s.count("groups waited for")
	if err == nil && (!clean || cancelled) {
		x.fail("a group that refused a task or was cancelled ended without an error")
	}
	if !isClosed(g.Done()) || err == nil && groupCtx.Err() == nil && g.Context().Err() != nil {
		x.fail("Done of a group is open after the wait, or its context has ended: %v", g.Context().Err())
	}
	for i, t := range members {
		if n := t.inside.Load(); n > 0 {
			x.fail("the task %q runs after the wait for its group: %v", t.name, err)
		}
		if err == nil && results[i] != t.name {
			x.fail("the result of %q in a group is %q", t.name, results[i])
		}
	}
}

func (d *driver) cancel() {
	if len(d.handles) == 0 || d.random.IntN(2) == 0 {
		d.m.Cancel(fmt.Sprint("name/", d.random.IntN(soakNames)))
		return
	}
	d.handles[d.random.IntN(len(d.handles))].Cancel()
}

func (d *driver) look() { d.list(d.random) }

// list calls one of the methods that list tasks or workers, and checks the result.
func (x *life) list(random *rand.Rand) {
	switch random.IntN(7) {
	case 0:
		for h := range x.m.Tasks() {
			if h.Status().Name != h.Name() {
				x.fail("the status of %q is that of another task", h.Name())
			}
		}
	case 1:
		last := int32(0)
		for id, w := range x.m.Workers() {
			if id <= last || w.TaskName == "" {
				x.fail("worker %d, after %d: %+v", id, last, w)
			}
			last = id
		}
	case 2:
		x.m.Status()
	case 3:
		for name, s := range x.m.TaskStatus() {
			if s.Name != name || s.Status == taskmanager.Finished {
				x.fail("the status of %q: %+v", name, s)
			}
		}
	case 4:
		name := fmt.Sprint("name/", random.IntN(soakNames))
		if h, ok := x.m.Lookup(name); ok != (h != nil) || ok && h.Name() != name {
			x.fail("Lookup(%q) found %v, %v", name, h, ok)
		}
	case 5:
		x.checkRings()
	case 6:
		x.m.Decisions()
		if p := x.m.Snapshot(); min(p.Workers, p.Busy, p.Idle, p.Inline, p.Lent, p.Queued, p.Blocked) < 0 {
			x.fail("the pool has a negative number: %+v", p)
		}
	}
}

func (d *driver) wait() {
	ctx, cancel := d.brief()
	defer cancel()
	if len(d.handles) == 0 {
		return
	}
	h := d.handles[d.random.IntN(len(d.handles))]
	if err := h.Wait(ctx); ctx.Err() == nil && !isClosed(h.Done()) {
		d.fail("the wait for %q is over before it has ended: %v", h.Name(), err)
	}
}

func (d *driver) idle() {
	ctx, cancel := d.brief()
	defer cancel()
	if err := d.m.WaitIdle(ctx); err == nil {
		d.s.count("WaitIdle: idle")
		for _, h := range d.handles { // all of them were submitted before WaitIdle
			if !isClosed(h.Done()) {
				d.fail("the manager was idle, and the task %q has not ended", h.Name())
			}
		}
	} else if !errors.Is(err, context.DeadlineExceeded) {
		d.fail("WaitIdle: %v", err)
	}
}

// schedule starts a schedule, or stops one.
func (d *driver) schedule() {
	if len(d.schedules) > 3 {
		s := d.schedules[0]
		d.schedules = d.schedules[1:]
		s.Stop()
		if next := s.Next(); !next.IsZero() {
			d.fail("a schedule that was stopped runs next at %v", next)
		}
		return
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if d.random.IntN(2) == 0 {
		ctx, cancel = d.brief()
	}
	name := fmt.Sprint("schedule/", d.random.IntN(6))
	interval := time.Duration(1+d.random.IntN(3000)) * time.Microsecond
	var one sync.Mutex
	s, err := d.m.Every(ctx, interval, &task{
		name: name,
		execute: func(ctx context.Context) error {
			if !one.TryLock() {
				d.fail("two runs of one schedule overlap")
				return nil
			}
			defer one.Unlock()
			d.s.count("run: scheduled")
			rest(ctx, 200*time.Microsecond)
			return nil
		},
	}, append(d.scheduleOptions(interval), taskmanager.WithTimeout(time.Second))...)
	context.AfterFunc(ctx, cancel)
	if err == nil {
		d.s.count("schedules")
		d.schedules = append(d.schedules, s)
		return
	}
	if !errors.Is(err, context.DeadlineExceeded) && !d.stopped(err) {
		d.fail("Every: %v", err)
	}
}

func (d *driver) pause() {
	d.m.Pause()
	rest(context.Background(), time.Duration(d.random.IntN(2000))*time.Microsecond)
	d.m.Resume()
}

func (d *driver) size() { d.resize(d.random) }
