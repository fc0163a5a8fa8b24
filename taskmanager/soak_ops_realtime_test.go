package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
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
			d.page, d.count, d.plainGroup, d.usePool, d.usePool,
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
		t.share(all[0])
	}
	if slices.ContainsFunc(all, (*soakTask).mayFillKey) {
		for _, t := range all {
			t.keyed = true
		}
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
	op, call := "Async", taskmanager.Async[string]
	if random.IntN(2) == 0 {
		op, call = "TryAsync", taskmanager.TryAsync[string]
	}
	f, err := call(submit, x.m, t.name, func(ctx context.Context) (string, error) {
		return t.name, t.Execute(ctx)
	}, t.options(random)...)
	if err != nil {
		t.accept(op, nil, err)
		return
	}
	t.accept(op, &f.Handle, nil)
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
	ended := g.Context().Err() // before groupCtx is read, which may end at any time
	if !isClosed(g.Done()) || err == nil && groupCtx.Err() == nil && ended != nil {
		x.fail("Done of a group is open after the wait, or its context has ended: %v", ended)
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
	switch random.IntN(8) {
	case 7:
		x.encode()
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
		x.checkKept()
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
		for _, h := range d.handles { // all of them were call before WaitIdle
			if !isClosed(h.Done()) {
				d.fail("the manager was idle, and the task %q has not ended", h.Name())
			}
		}
	} else if !errors.Is(err, context.DeadlineExceeded) {
		d.fail("WaitIdle: %v", err)
	}
}

func (d *driver) pause() {
	d.m.Pause()
	rest(context.Background(), time.Duration(d.random.IntN(2000))*time.Microsecond)
	d.m.Resume()
}

func (d *driver) size() { d.resize(d.random) }
