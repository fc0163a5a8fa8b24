package dashboard_test

import (
	"context"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// hold is a value that a task holds on to, larger than what the allocator combines.
type hold [1 << 10]byte

// Nothing of a task that has ended is kept in memory, also if it had a trace, and was shown while it ran.
func TestEndedTasksAreNotRetained(t *testing.T) {
	c := dashboard.NewCollector()
	m := start(t, taskmanager.WithObserver(spans{}, c))
	d := show(t, dashboard.Manager("m", m, c))
	held := func() weak.Pointer[hold] {
		v := new(hold)
		h := submit(t, m, "task", func(ctx context.Context) error {
			<-ctx.Done()
			v[0]++
			return errBroken
		})
		<-h.Started()
		for _, place := range []string{"tasks", "task?name=task", "workers", "overview"} {
			do(t, d, "GET", "/api/v1/"+place, "")
		}
		h.Cancel()
		<-h.Done()
		return weak.Make(v)
	}()
	for range 1000 {
		runtime.GC()
		if held.Value() == nil {
			return
		}
		<-time.After(time.Millisecond) // the worker lets go of the task a moment after its end
	}
	t.Error("the value of the task is still in memory")
}
