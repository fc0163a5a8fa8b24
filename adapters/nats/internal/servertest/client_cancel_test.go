package servertest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// What a process says about a task, and what is known of the task, decide whether it is removed.
func TestCancel(t *testing.T) {
	far := time.Now().Add(2 * time.Hour).UnixNano()
	for name, tc := range map[string]struct {
		processes    int
		held, silent bool
		delivered    bool // a consumer has delivered the task
		delayed      bool // it is due in two hours for the first time
		restarts     bool // or again
		stays        bool
	}{
		"no process":                             {},
		"no process, delivered":                  {delivered: true},
		"waits":                                  {processes: 2},
		"runs":                                   {processes: 2, held: true, delivered: true, stays: true},
		"runs, says a process":                   {processes: 2, held: true, stays: true},
		"a process is mute":                      {processes: 2, silent: true, delivered: true, stays: true},
		"a process is mute, never delivered":     {processes: 2, silent: true},
		"a process is mute, due in hours":        {processes: 2, silent: true, delivered: true, delayed: true},
		"a process is mute, again due in hours":  {processes: 2, silent: true, delivered: true, restarts: true},
		"a process gives it back, due in hours":  {processes: 2, held: true, delivered: true, restarts: true},
		"a process gives it back for the future": {processes: 2, held: true, delivered: true, delayed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := connect(t, serve(t, embed.Options{}))
			c := open(t, nc)
			st, err := streams(t, nc).Stream(soon(t), "tasks")
			if err != nil {
				t.Fatal(err)
			}
			o := []nats.SubmitOption{nats.WithKind("k"), nats.WithResult(time.Minute), nats.WithID("i.d")}
			if tc.delayed {
				o = append(o, nats.WithDelay(2*time.Hour))
			}
			task, err := nats.Submit(soon(t), c, "a.b", 1, o...)
			if err != nil {
				t.Fatal(err)
			}
			history := map[string]any{"id": "i.d"}
			if tc.restarts {
				history["not_before"] = far
			}
			put(t, nc, "tasks_STATE", "a=2Eb", history)
			cons := consumer(t, nc, "w_normal_k", "tasks.run.normal.k.*")
			if tc.delivered {
				if _, err := cons.Next(); err != nil {
					t.Fatal(err)
				}
			}
			for i := range tc.processes {
				f := newFake(t, nc, string(rune('p'+i)))
				if tc.held && i == 1 {
					f.runs("i.d", "k", taskmanager.TaskStatus{Name: "a.b"})
				}
				if tc.silent && i == 1 {
					f.silent()
				}
			}
			if ok, err := task.Cancel(soon(t)); !ok || err != nil {
				t.Fatalf("Cancel: %v, %v", ok, err)
			}
			if diff := cmp.Diff([]string{"i=2Ed"}, keys(t, nc, "tasks_CANCEL")); diff != "" {
				t.Errorf("marks (-want +got):\n%s", diff)
			}
			if got := stored(t, st) == 1; got != tc.stays {
				t.Errorf("the task is stored: %v, want %v", got, tc.stays)
			}
			if got := len(keys(t, nc, "tasks_STATE")) == 1; got != tc.stays {
				t.Errorf("the history is stored: %v, want %v", got, tc.stays)
			}
			if !tc.stays {
				if err := task.Wait(soon(t)); !errors.Is(err, taskmanager.ErrCancelled) {
					t.Errorf("Wait: %v, want ErrCancelled", err)
				}
			} else if got := keys(t, nc, "tasks_RESULTS"); len(got) != 0 {
				t.Errorf("there is an outcome of a task that has not ended: %q", got)
			}
		})
	}
}

func TestCancelOfNothing(t *testing.T) {
	c := client(t)
	if ok, err := c.Cancel(soon(t), "a"); ok || err != nil {
		t.Errorf("Cancel: %v, %v", ok, err)
	}
}

// The name of a task that was cancelled while it waited is free at once.
func TestCancelFreesTheName(t *testing.T) {
	c := client(t)
	for range 20 {
		if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); err != nil {
			t.Fatal(err)
		}
		if ok, err := c.Cancel(soon(t), "a"); !ok || err != nil {
			t.Fatalf("Cancel: %v, %v", ok, err)
		}
	}
}
