package taskmanager_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// labelled reports whether a goroutine of the process has a pprof label.
func labelled(t *testing.T, key, value string) bool {
	t.Helper()
	var out bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&out, 1); err != nil {
		t.Fatal(err)
	}
	return strings.Contains(out.String(), `"`+key+`":"`+value+`"`)
}

// TestProfileLabels checks that the goroutine of a task and the goroutines that it starts
// have the labels until the task ends, in whichever way.
func TestProfileLabels(t *testing.T) {
	for name, c := range map[string]struct {
		end  func() error
		want error
	}{
		"success": {func() error { return nil }, nil},
		"failure": {func() error { return errFailed }, errFailed},
		"panic":   {func() error { panic(errFailed) }, errFailed},
		"Goexit":  {func() error { runtime.Goexit(); return nil }, taskmanager.ErrGoexit},
	} {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithProfiling(), taskmanager.WithoutTelemetry())
		ctx := pprof.WithLabels(t.Context(), pprof.Labels("request", "42"))
		h, err := m.SubmitFunc(ctx, "image/1", func(ctx context.Context) error {
			for key, want := range map[string]string{
				"taskmanager.task.name": "image/1", "taskmanager.task.kind": "thumbnail", "request": "42",
			} {
				if got, _ := pprof.Label(ctx, key); got != want || !labelled(t, key, want) {
					t.Errorf("%s: the label %s in the context is %q, want %q; a goroutine has that: %v", name, key, got, want, labelled(t, key, want))
				}
			}
			return c.end()
		}, taskmanager.WithKind("thumbnail"))
		if err != nil {
			t.Fatal(err)
		}
		if err := wait(t, h); !errors.Is(err, c.want) {
			t.Errorf("%s: the task ended with %v", name, err)
		}
		await(t, submitFunc(t, m, "image/2", func(context.Context) error {
			if labelled(t, "taskmanager.task.name", "image/1") || labelled(t, "request", "42") {
				t.Errorf("%s: the labels of the task outlive it", name)
			}
			return nil
		}))
	}
}

// TestWorkersInheritNoLabels checks that a worker does not inherit the labels of the
// submitter for whose task it was started.
func TestWorkersInheritNoLabels(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(0, 1))
	end := make(chan struct{})
	var h *taskmanager.Handle
	pprof.Do(t.Context(), pprof.Labels("request", "43"), func(context.Context) {
		h = submitFunc(t, m, "a", func(context.Context) error { <-end; return nil })
	})
	<-h.Started()
	if labelled(t, "request", "43") {
		t.Error("a worker has the labels of the goroutine that has submitted a task")
	}
	close(end)
	await(t, h)
}

// TestExecutionTraceTasks checks that each execution is a task of the execution trace.
func TestExecutionTraceTasks(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithProfiling())
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Skip(err) // another trace is being recorded
	}
	await(t, submitFunc(t, m, "image/1", func(ctx context.Context) error {
		trace.Log(ctx, "step", "decoded")
		return nil
	}, taskmanager.WithKind("thumbnail")))
	trace.Stop()
	for _, want := range []string{"run thumbnail", "taskmanager.task.name", "image/1", "execute", "decoded"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("the execution trace does not have %q", want)
		}
	}
}

// TestLongKindCrashesTheExecutionTrace records an execution trace of tasks whose kinds and
// names are longer than a string of the trace may be. Without a limit the runtime ends the
// process.
func TestLongKindCrashesTheExecutionTrace(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithProfiling())
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Skip(err) // another trace is being recorded
	}
	for _, long := range []string{strings.Repeat("long ", 13_200), strings.Repeat("\xff", 70_000)} {
		await(t, submitFunc(t, m, long, func(ctx context.Context) error {
			for _, key := range []string{observe.NameLabel, observe.KindLabel} {
				if got, _ := pprof.Label(ctx, key); len(got) > 256 || !utf8.ValidString(got) {
					t.Errorf("the label %s has %d bytes, or is invalid", key, len(got))
				}
			}
			return nil
		}, taskmanager.WithKind(long)))
	}
	trace.Stop()
	if want := "run " + strings.Repeat("long ", 50) + "lon…"; !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Error("the execution trace has no task with the beginning of the kind")
	}
}
