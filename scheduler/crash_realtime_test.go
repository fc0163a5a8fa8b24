package scheduler_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// TestIdleWorkersKeepNothingAlive checks that an item that has ended in any way can be
// collected while its worker is idle.
func TestIdleWorkersKeepNothingAlive(t *testing.T) {
	for _, how := range []ending{returns, panics, exits} {
		for _, maximum := range []int{4, 8} {
			r := newRig(t, scheduler.Config[*job]{Min: 4, Max: maximum, Crashed: func(int32, *job, error) {}})
			refs := submitAndForget(t, r, how)
			waitFor(t, "all items have ended", func() bool { return r.pool.Snapshot().Idle >= 4 && r.pool.Snapshot().Busy == 0 })
			waitFor(t, "all items are collected", func() bool {
				runtime.GC()
				for _, w := range refs {
					if w.Value() != nil {
						return false
					}
				}
				return true
			})
			mustStop(t, r.pool)
		}
	}
}

func submitAndForget(t *testing.T, r *rig, how ending) []weak.Pointer[job] {
	t.Helper()
	refs := []weak.Pointer[job]{}
	for _, j := range newJobs(4) {
		j.end <- how
		refs = append(refs, weak.Make(j))
		mustSubmit(t, r.pool, j)
	}
	return refs
}

// waitFor yields until the condition holds. It fails the test after a timeout.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}

// brokenQueue panics in the method named by in.
type brokenQueue struct {
	queue.FIFO[int]
	in     string
	popped bool
}

func (q *brokenQueue) Finish(int, bool) {
	if q.in == "Finish" {
		panic("the discipline is broken")
	}
}

func (q *brokenQueue) Pop() (int, bool) {
	if q.in == "Pop" && q.Len() > 0 {
		panic("the discipline is broken")
	}
	item, ok := q.FIFO.Pop()
	q.popped = ok
	return item, ok
}

func (q *brokenQueue) Discarded() (int, bool, error) {
	if q.in == "Discarded" && q.popped {
		panic("the discipline is broken")
	}
	return 0, false, nil
}

// TestBrokenDisciplineCrashesTheProcess checks that a discipline that panics on a worker
// ends the process with its message. The pool could not continue, since the worker held
// the lock.
func TestBrokenDisciplineCrashesTheProcess(t *testing.T) {
	if in := os.Getenv("BROKEN_DISCIPLINE"); in != "" {
		runBroken(in)
		return
	}
	for _, in := range []string{"Pop", "Finish", "Discarded"} {
		t.Run(in, func(t *testing.T) {
			ctx, cancel := soon()
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBrokenDisciplineCrashesTheProcess$")
			cmd.Env = append(os.Environ(), "BROKEN_DISCIPLINE="+in)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "panic: the discipline is broken") {
				t.Errorf("the process ended with %v and this output, want a panic:\n%s", err, out)
			}
		})
	}
}

// runBroken must crash. It returns if the worker does not come to that.
func runBroken(in string) {
	p, err := scheduler.NewPool(scheduler.Config[int]{
		Min: 1, Max: 1,
		Queue: func() queue.Queue[int] { return &brokenQueue{in: in} },
	}, func(int32, int) {})
	if err != nil {
		panic(err)
	}
	ctx, cancel := soon()
	defer cancel()
	_ = p.Submit(ctx, 1) // the crash is on the worker
	<-ctx.Done()
}
