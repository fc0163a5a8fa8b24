package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// soakTask is a task of the soak and what the test knows about it.
type soakTask struct {
	x         *life
	name      string
	number    int // number of the name; negative for a unique name
	seed      uint64
	way       int
	fails     int        // number of executions that fail, if way can fail
	by        *execution // the execution that submitted it; nil: none
	asks      bool
	grouped   bool
	memory    int64 // with places: of the resources, what each execution uses
	places    int64
	elsewhere int    // executions before its submit
	kind      string // "": not known
	cost      int64  // 0: not known

	timeout, queueTimeout, deadline, linked, tells, keyed bool // whether the option is given

	inside  atomic.Int32
	runs    atomic.Int32
	succeed atomic.Bool // the last execution succeeded

	mu      sync.Mutex // guards the rest
	h       *taskmanager.Handle
	refused error
	taken   bool
	started <-chan struct{} // of Go; nil: none
}

// newTask makes a task, which check will check.
func (x *life) newTask(random *rand.Rand, number int, by *execution) *soakTask {
	t := &soakTask{
		x: x, number: number, by: by, seed: random.Uint64(),
		way: random.IntN(len(ways)), fails: random.IntN(5), asks: random.IntN(2) == 0,
	}
	if number < 0 {
		t.name = fmt.Sprint("child/", x.serial.Add(1))
	} else {
		t.name = fmt.Sprint("name/", number)
	}
	if t.depth() > 2 && t.way >= firstNestedWay {
		t.way = 0
	}
	x.mu.Lock()
	x.tasks = append(x.tasks, t)
	x.mu.Unlock()
	return t
}

// depth returns the number of its ancestors.
func (t *soakTask) depth() int {
	if t.by == nil {
		return 0
	}
	return 1 + t.by.depth()
}

// accept records the result of the submit, counts it, and checks the error.
func (t *soakTask) accept(op string, h *taskmanager.Handle, err error) {
	t.mu.Lock()
	t.h, t.refused, t.taken = h, err, err == nil
	t.mu.Unlock()
	if err == nil {
		t.x.s.count("submit: " + op)
		return
	}
	if !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.x.refused.Add(1)
	}
	known := false
	for name, may := range map[error]bool{
		taskmanager.ErrAlreadyExists:    true,
		taskmanager.ErrStopped:          t.x.stopping.Load(),
		taskmanager.ErrQueueFull:        t.x.bounded || t.grouped || t.mayFillKey(),
		taskmanager.ErrWouldDeadlock:    t.by != nil || t.grouped || t.x.bounded,
		taskmanager.ErrCancelled:        true,
		taskmanager.ErrReplaced:         true, // during the wait for room
		taskmanager.ErrGroupFailed:      t.grouped,
		taskmanager.ErrQueueTimeout:     t.queueTimeout,
		taskmanager.ErrDeadlineExceeded: t.deadline,
		context.DeadlineExceeded:        true, // the context of the submit has ended
		context.Canceled:                true,
	} {
		if errors.Is(err, name) && may {
			known = true
			t.x.s.count("refused: " + name.Error())
		}
	}
	if !known {
		t.x.fail("%s of %q was refused: %v", op, t.name, err)
	}
}

func (t *soakTask) Name() string        { return t.name }
func (t *soakTask) Key() string         { return []string{"", "a", "bb"}[t.seed%3] }
func (t *soakTask) Priority() int       { return int(t.seed % 4) }
func (t *soakTask) Cost() int64         { return int64(1 + t.seed%3) }
func (t *soakTask) Description() string { return "soaks" }

func (t *soakTask) Progress() (float64, error) {
	if t.seed%50 == 0 {
		panic(errFailed)
	}
	return float64(t.runs.Load()), nil
}

func (t *soakTask) Restart(context.Context, error) bool { return t.asks }

// execution is one execution of a task.
type execution struct {
	*soakTask
	ctx     context.Context
	random  *rand.Rand
	inline  bool // runs inside its submit
	unsure  bool // whether it has a slot is unknown
	gone    bool // its slot may be lent until it ends
	hurried bool // it may have continued without a slot
	failed  bool
}

// Execute runs the task in its way, and checks that it is the only execution of its name.
func (t *soakTask) Execute(ctx context.Context) error {
	n := t.runs.Add(1)
	t.succeed.Store(false)
	if t.inside.Add(1) != 1 || t.number >= 0 && t.x.running[t.number].Add(1) != 1 {
		t.x.fail("two tasks named %q run together", t.name)
	}
	h, ok := taskmanager.FromContext(ctx)
	if !ok || h.Name() != t.name {
		t.x.fail("the context of the task %q is that of another one", t.name)
		return errFailed
	}
	if t.kind != "" && h.Kind() != t.kind || t.cost != 0 && h.Cost() != t.cost {
		t.x.fail("the task %q has the kind %q and the cost %d, want %q and %d", t.name, h.Kind(), h.Cost(), t.kind, t.cost)
	}
	t.checkLabels(ctx)
	e := &execution{
		soakTask: t, ctx: ctx, random: rand.New(rand.NewPCG(t.seed, uint64(n))),
		inline: t.x.overflow == taskmanager.CallerRuns && h.Status().Worker == 0,
		// If a middleware runs the task twice, a goroutine of the first run may still wait.
		unsure: t.x.skips && ways[t.way].name == abandonsWay,
		failed: int(n) <= t.fails,
	}
	e.takeSlot()
	defer t.use()()
	defer func() {
		e.giveSlot()
		e.endHurry()
		if t.number >= 0 {
			t.x.running[t.number].Add(-1)
		}
		t.inside.Add(-1)
	}()
	t.x.s.count("run: " + ways[t.way].name)
	err := ways[t.way].run(e)
	if err == nil {
		t.succeed.Store(true)
	}
	return err
}

// ways are the things that tasks do.
var ways []struct {
	name string
	run  func(e *execution) error
}

const (
	firstNestedWay = 11 // this and later ways involve other tasks
	abandonsWay    = "ends before its goroutine"
)

func init() { // a composite literal would be an initialization cycle
	ways = []struct {
		name string
		run  func(e *execution) error
	}{
		{"succeeds", func(*execution) error { return nil }},
		{"succeeds at once", func(*execution) error { return nil }},
		{"fails", func(e *execution) error { return e.outcome() }},
		{"panics", (*execution).panics},
		{"calls Goexit", (*execution).exits},
		{"waits for the end", (*execution).lasts},
		{"works", (*execution).works},
		{"ignores its context", (*execution).ignores},
		{"blocks", (*execution).blocks},
		{"leaves a goroutine", (*execution).leavesGoroutine},
		{"is not ready", (*execution).postpones},
		{"waits for children", (*execution).parent},
		{"waits for a group", (*execution).groupParent},
		{"waits for a result", (*execution).futureParent},
		{"waits for others", (*execution).joins},
		{"waits on goroutines", (*execution).joinsOnGoroutines},
		{abandonsWay, (*execution).abandons},
		{"waits in another manager", (*execution).crosses},
		{"manages", (*execution).manages},
		{"submits several", (*execution).batchParent},
		{"submits its own name", (*execution).again},
		{"runs a batch", (*execution).mapParent},
	}
}

// outcome returns an error if this execution is to fail.
func (e *execution) outcome() error {
	if e.failed {
		return errFailed
	}
	return nil
}

func (e *execution) panics() error {
	if e.failed {
		panic(errFailed)
	}
	return nil
}

func (e *execution) exits() error {
	if e.failed {
		runtime.Goexit()
	}
	return nil
}

// lasts waits for the end of the context, for a limited time.
func (e *execution) lasts() error {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-e.ctx.Done():
		return e.caused()
	case <-timer.C:
		return e.outcome()
	}
}

// caused returns the cause of the end of the context, and checks that it is a known one. For a task
// that is linked to a context, or belongs to a group, it may be that of the context.
func (e *execution) caused() error {
	err := context.Cause(e.ctx)
	if err == nil || !e.linked && !e.grouped && !e.known(err) {
		e.x.fail("the context of the running task %q ended with the cause %v", e.name, err)
	}
	e.x.s.count("cause: " + kind(err))
	return err
}

func (e *execution) works() error {
	rest(e.ctx, time.Duration(e.random.IntN(500))*time.Microsecond)
	return e.outcome()
}

func (e *execution) ignores() error {
	rest(context.Background(), time.Duration(e.random.IntN(1500))*time.Microsecond)
	return e.outcome()
}

func (e *execution) blocks() error {
	e.stepAside("Blocking", func() {
		taskmanager.Blocking(e.ctx, func() { rest(e.ctx, time.Duration(e.random.IntN(1000))*time.Microsecond) })
	})
	return e.outcome()
}

// leavesGoroutine leaves a goroutine behind that ends with the context.
func (e *execution) leavesGoroutine() error {
	ctx := e.ctx
	go func() {
		<-ctx.Done()
		h, ok := taskmanager.FromContext(ctx)
		if !ok || h.Status().Status != taskmanager.Finished {
			return
		}
		if _, ok = taskmanager.FromContext(ctx); ok { // it did not end between the two calls
			e.x.fail("the context of %q leads to a task that is over", h.Name())
		}
	}()
	return e.outcome()
}

// waitFor waits for a task and counts the lent slot.
func (e *execution) waitFor(h *taskmanager.Handle) {
	e.stepAside("a wait for "+h.Name(), func() { e.waitBare(h) })
}

func (e *execution) waitBare(h *taskmanager.Handle) {
	err := h.Wait(e.ctx)
	switch {
	case errors.Is(err, taskmanager.ErrWouldDeadlock):
		e.x.s.count("ErrWouldDeadlock: from a wait")
	case err == nil && !isClosed(h.Done()):
		e.x.fail("the wait of %q for %q is over before it has ended", e.name, h.Name())
	}
}

// child submits another task.
func (e *execution) child() (h *taskmanager.Handle, err error) {
	if !e.x.enter() {
		return nil, taskmanager.ErrStopped
	}
	defer e.x.leave()
	c := e.x.newTask(e.random, e.random.IntN(2*soakNames)-soakNames, e)
	e.stepAside("the submit of "+c.name, func() {
		h, err = e.x.m.Submit(e.ctx, c)
		c.accept("child", h, err)
	})
	return h, err
}

func (e *execution) parent() error {
	var children []*taskmanager.Handle
	for range 1 + e.random.IntN(3) {
		if h, err := e.child(); err == nil {
			children = append(children, h)
		}
	}
	for _, h := range children {
		e.waitFor(h)
	}
	return e.outcome()
}

func (e *execution) batchParent() error {
	if !e.x.enter() {
		return e.outcome()
	}
	var handles []*taskmanager.Handle
	e.stepAside("SubmitAll", func() { handles = e.x.submitAll(e.ctx, e.random, e) })
	e.x.leave()
	for _, h := range handles {
		e.waitFor(h)
	}
	return e.outcome()
}

func (e *execution) groupParent() error {
	if !e.x.enter() {
		return e.outcome()
	}
	defer e.x.leave()
	e.stepAside("a group", func() { e.x.group(e.ctx, e.ctx, e.random, e) })
	return e.outcome()
}

func (e *execution) futureParent() error {
	if !e.x.enter() {
		return e.outcome()
	}
	defer e.x.leave()
	e.stepAside("a result", func() { e.x.async(e.ctx, e.ctx, e.random, e) })
	return e.outcome()
}

// joins waits for tasks that it has not submitted. They may in turn wait for it.
func (e *execution) joins() error {
	for range 1 + e.random.IntN(2) {
		if h, ok := e.x.m.Lookup(fmt.Sprint("name/", e.random.IntN(soakNames))); ok {
			e.waitFor(h)
		}
	}
	return e.outcome()
}

// joinsOnGoroutines waits on several goroutines at once. The manager recognises them by
// their context.
func (e *execution) joinsOnGoroutines() error {
	targets := make([]*taskmanager.Handle, 0, 3)
	for range cap(targets) {
		if h, ok := e.x.m.Lookup(fmt.Sprint("name/", e.random.IntN(soakNames))); ok {
			targets = append(targets, h)
		}
	}
	e.stepAside("waits on goroutines", func() {
		var all sync.WaitGroup
		for _, h := range targets {
			all.Go(func() { e.waitBare(h) })
		}
		taskmanager.Blocking(e.ctx, all.Wait)
	})
	return e.outcome()
}

// abandons ends in a random way while a goroutine of it still waits, so that its slot is
// lent when it ends.
func (e *execution) abandons() error {
	h, err := e.child()
	if err != nil {
		return e.outcome()
	}
	e.giveSlot()
	e.gone = true
	if e.inline { // the goroutine may be in hurry if the task is cancelled
		e.hurry()
	}
	begun := make(chan struct{})
	go func() {
		close(begun)
		e.waitBare(h)
	}()
	<-begun
	switch e.random.IntN(4) {
	case 0:
		return e.panics()
	case 1:
		return e.exits()
	case 2:
		return e.works()
	default:
		return e.outcome()
	}
}

// crosses waits for a task of the next manager. It never waits for a task of an earlier
// one: the managers could not detect such a cycle of waits.
func (e *execution) crosses() error {
	if e.x.slot+1 == soakSlots {
		return e.outcome()
	}
	y := e.x.s.lives[e.x.slot+1].Load()
	if y == nil || !y.enter() {
		return e.outcome()
	}
	c := y.newTask(e.random, -1, e)
	var h *taskmanager.Handle
	e.stepAside("a submit to another manager", func() {
		var err error
		h, err = y.m.Submit(e.ctx, c)
		c.accept("to another manager", h, err)
	})
	y.leave()
	if h == nil {
		return e.outcome()
	}
	if e.random.IntN(2) == 0 {
		e.waitFor(h)
		return e.outcome()
	}
	e.stepAside("Blocking for a task of another manager", func() {
		taskmanager.Blocking(e.ctx, func() { e.waitBare(h) })
	})
	return e.outcome()
}

// manages calls methods of its own manager, some of which must return an error to a task.
func (e *execution) manages() error {
	m := e.x.m
	switch e.random.IntN(6) {
	case 0:
		if err := m.WaitIdle(e.ctx); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
			e.x.fail("WaitIdle in a task: %v", err)
		}
	case 1:
		if err := m.Drain(e.ctx); !errors.Is(err, taskmanager.ErrWouldDeadlock) {
			e.x.fail("Drain in a task: %v", err)
		}
	case 2:
		m.Cancel(e.name)
	case 3:
		m.Cancel(fmt.Sprint("name/", e.random.IntN(soakNames)))
	case 4:
		e.x.list(e.random)
	case 5:
		h, _ := taskmanager.FromContext(e.ctx)
		if err := h.Wait(e.ctx); err == nil {
			e.x.fail("the task %q waited for itself: %v", e.name, err)
		}
	}
	return e.outcome()
}
