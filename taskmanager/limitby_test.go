package taskmanager_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestLimitByComposes: at most two of a kind and one of a tenant run, and a task that one limit holds
// back leaves the place of the other one to others. Tenants take turns.
func TestLimitByComposes(t *testing.T) {
	byTenant := func(h *taskmanager.Handle) string { return h.Key() }
	for name, d := range map[string]taskmanager.Discipline{
		"kinds outside": taskmanager.LimitBy(2, (*taskmanager.Handle).Kind, taskmanager.LimitByKey(1, taskmanager.Fair(nil))),
		"kinds inside":  taskmanager.LimitByKey(1, taskmanager.LimitBy(2, (*taskmanager.Handle).Kind, taskmanager.Fair(nil))),
		"two LimitBy":   taskmanager.LimitBy(2, (*taskmanager.Handle).Kind, taskmanager.LimitBy(1, byTenant, taskmanager.Fair(nil))),
	} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 10), taskmanager.WithQueue(d))
			for _, x := range []string{"a/export", "b/export", "c/export", "a/mail", "c/mail", "d/export", "d/other"} {
				tenant, kind, _ := strings.Cut(x, "/")
				submitFunc(t, m, x, untilCancelled, taskmanager.WithKey(tenant), taskmanager.WithKind(kind))
			}
			synctest.Wait()
			var running []string
			for h := range m.Tasks() {
				if isClosed(h.Started()) {
					running = append(running, h.Name())
				}
			}
			slices.Sort(running)
			check.Equal(t, name+": tasks that run", running, []string{"a/export", "b/export", "c/mail", "d/other"})
		})
	}
}

// TestLimitByFunctionPanics checks that the submit fails.
func TestLimitByFunctionPanics(t *testing.T) {
	m := start(t, taskmanager.WithQueue(taskmanager.LimitBy(1, func(h *taskmanager.Handle) string {
		if h.Name() == "bad" {
			panic("unlucky")
		}
		return h.Name()
	}, taskmanager.FIFO())))
	_, err := m.SubmitFunc(t.Context(), "bad", fn0)
	if _, ok := errors.AsType[*taskmanager.PanicError](err); !ok || !strings.Contains(err.Error(), `LimitBy, for task "bad"`) {
		t.Errorf("the submit returned %v, want a PanicError with the task", err)
	}
	check.Is(t, "another task", wait(t, submitFunc(t, m, "good", fn0)), nil)
}

// TestLimitByDeadlocks: a wait for a task that the limit of an attribute holds back is refused.
func TestLimitByDeadlocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 4), taskmanager.WithQueue(taskmanager.LimitBy(1, (*taskmanager.Handle).Kind, taskmanager.FIFO())))
		for kind, want := range map[string]error{"same": taskmanager.ErrWouldDeadlock, "other": nil} {
			outer := submitFunc(t, m, "outer", func(ctx context.Context) error {
				inner, err := m.SubmitFunc(ctx, "inner/"+kind, fn0, taskmanager.WithKind(kind))
				if err != nil {
					return err
				}
				return inner.Wait(ctx)
			}, taskmanager.WithKind("same"))
			check.Is(t, "the wait for the kind "+kind, wait(t, outer), want)
		}
	})
}

// TestKind checks Handle.Kind before and after the end of a task.
func TestKind(t *testing.T) {
	m := start(t)
	for want, h := range map[string]*taskmanager.Handle{
		"func":                   submitFunc(t, m, "a", fn0),
		"given":                  submitFunc(t, m, "b", fn0, taskmanager.WithKind("given")),
		"*taskmanager_test.task": submit(t, m, &task{name: "c"}),
	} {
		check.Equal(t, "kind", h.Kind(), want)
		await(t, h)
		check.Equal(t, "kind", h.Kind(), want)
	}
}
