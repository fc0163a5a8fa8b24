package taskmanager_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestRestartAtFront has a task fail once while others wait.
func TestRestartAtFront(t *testing.T) {
	front := taskmanager.WithRestartAtFront()
	for name, test := range map[string]struct {
		d    taskmanager.Discipline
		want string // the order with the option
		back string // and without
	}{
		"FIFO":       {taskmanager.FIFO(), "x x a b c", "x a b c x"},
		"LIFO":       {taskmanager.LIFO(), "x x c b a", "x x c b a"},
		"Priority":   {taskmanager.Priority(0), "x b x a c", "x b a c x"},
		"ageing":     {taskmanager.Priority(100), "x b x a c", "x b a c x"},
		"Deadline":   {taskmanager.Deadline(0), "x x a b c", "x a b c x"},
		"Fair":       {taskmanager.Fair(nil), "x x b a c", "x a b c x"},
		"LimitByKey": {taskmanager.LimitByKey(9, taskmanager.FIFO()), "x x a b c", "x a b c x"},
		"Resources":  {taskmanager.Resources(map[string]int64{"memory": 9}, taskmanager.FIFO()), "x x a b c", "x a b c x"},
		"Custom":     {taskmanager.Custom(queue.NewFIFO[*taskmanager.Handle]), "x x a b c", "x a b c x"},
	} {
		for _, how := range []string{"back", "task", "manager", "delayed"} {
			bubble(t, func(t *testing.T) {
				policy := restart.Constant(0)
				opts := []taskmanager.Option{taskmanager.WithWorkers(1, 1), taskmanager.WithQueue(test.d)}
				xOpts := []taskmanager.TaskOption{taskmanager.WithKey("k")}
				want := test.want
				switch how {
				case "back":
					want = test.back
				case "task":
					xOpts = append(xOpts, front)
				case "manager":
					opts = append(opts, front)
				case "delayed":
					policy = restart.Constant(time.Second)
					xOpts = append(xOpts, front)
				}
				m := start(t, opts...)
				var got []string
				note := func(name string) func(context.Context) error {
					return func(context.Context) error { got = append(got, name); return nil }
				}
				ready, first := make(chan struct{}), true
				submitFunc(t, m, "x", func(context.Context) error {
					got = append(got, "x")
					if !first {
						return nil
					}
					first = false
					<-ready
					return errFailed
				}, append(xOpts, taskmanager.WithRestart(restart.MaxAttempts(2, policy)))...)
				synctest.Wait()
				if how == "delayed" { // all wait until it is due
					close(ready)
					synctest.Wait()
					submitFunc(t, m, "busy", func(context.Context) error { time.Sleep(2 * time.Second); return nil })
					synctest.Wait()
				}
				submitFunc(t, m, "a", note("a"), taskmanager.WithKey("k"))
				submitFunc(t, m, "b", note("b"), taskmanager.WithPriority(1), taskmanager.WithKey("other"))
				submitFunc(t, m, "c", note("c"), taskmanager.WithKey("k"))
				if how != "delayed" {
					close(ready)
				}
				check.Is(t, "WaitIdle", m.WaitIdle(t.Context()), nil)
				if name == "Fair" && how != "back" { // the turn of the key comes as it would
					check.Equal(t, "x is before a and c", slices.Index(got[1:], "x") < min(slices.Index(got[1:], "a"), slices.Index(got[1:], "c")), true)
					return
				}
				check.Equal(t, name+", "+how, strings.Join(got, " "), want)
			})
		}
	}
}

// TestRestartAtFrontIsRefused checks disciplines that cannot put a task first.
func TestRestartAtFrontIsRefused(t *testing.T) {
	codel := taskmanager.CoDel(taskmanager.CoDelConfig{})
	custom := taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] {
		return struct {
			queue.Queue[*taskmanager.Handle]
		}{queue.NewFIFO[*taskmanager.Handle]()}
	})
	for name, d := range map[string]taskmanager.Discipline{
		"CoDel": codel, "LimitByKey over CoDel": taskmanager.LimitByKey(1, codel), "Custom": custom,
	} {
		_, err := taskmanager.Start(taskmanager.WithQueue(d), taskmanager.WithRestartAtFront())
		if err == nil || name != "Custom" && !strings.Contains(err.Error(), "WithRestartAtFront: the discipline "+name+" cannot") {
			t.Errorf("%s: Start returned %v, want an error", name, err)
		}
		m := start(t, taskmanager.WithQueue(d))
		_, err = m.SubmitFunc(t.Context(), "a", fn0, taskmanager.WithRestartAtFront())
		if err == nil || !strings.Contains(err.Error(), "WithRestartAtFront: the discipline") {
			t.Errorf("%s: the submit returned %v, want an error", name, err)
		}
	}
}
