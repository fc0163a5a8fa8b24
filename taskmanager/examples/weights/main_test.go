package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// inVirtualTime runs a test with a manager of two workers.
func inVirtualTime(t *testing.T, test func(t *testing.T, m *taskmanager.TaskManager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := taskmanager.Start(taskmanager.WithWorkers(2, 2))
		if err != nil {
			t.Fatal(err)
		}
		test(t, m)
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestMailsDoNotWaitForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		started := map[string]int{} // at which ms
		for line := range strings.Lines(out.String()) {
			var at int
			var name string
			if _, err := fmt.Sscanf(line, "%d ms %s starts", &at, &name); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			started[name] = at
		}
		// Either video may be the first. Both images may get a slot before the second one.
		first := min(started["video/1"], started["video/2"])
		second := max(started["video/1"], started["video/2"])
		if first != 0 || second < 350 || second > 400 {
			t.Errorf("the videos started after %d and %d ms, want 0 and 350 to 400:\n%s", first, second, &out)
		}
		mails := []int{started["mail/1"], started["mail/2"], started["mail/3"]}
		if diff := cmp.Diff([]int{0, 100, 200}, mails); diff != "" {
			t.Errorf("starts of the mails, in ms (-want +got):\n%s", diff)
		}
		if min(started["image/1"], started["image/2"]) < 350 {
			t.Errorf("an image started before the video that waited for memory:\n%s", &out)
		}
	})
}

func TestTheTotalIsNeverExceeded(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *taskmanager.TaskManager) {
		if err := m.Resize(20, 20); err != nil {
			t.Fatal(err)
		}
		memory, tasks := newMemory(8), m.Group(t.Context())
		var used, most atomic.Int64
		for n := range int64(100) {
			units := 1 + n%8
			_ = tasks.Go(fmt.Sprint(n), memory.with(units, func(context.Context) error {
				now := used.Add(units)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(time.Duration(units) * time.Millisecond)
				used.Add(-units)
				return nil
			}))
		}
		if err := tasks.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most.Load() != 8 {
			t.Errorf("at most %d units were in use at once, want 8", most.Load())
		}
	})
}

func TestTasksThatWaitForMemoryCanBeCancelled(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, m *taskmanager.TaskManager) {
		memory := newMemory(6)
		sleep := func(context.Context) error { time.Sleep(time.Minute); return nil }
		first, err := m.SubmitFunc(t.Context(), "first", memory.with(5, sleep))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		second, err := m.SubmitFunc(t.Context(), "second", memory.with(5, sleep))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		second.Cancel()
		if err := second.Wait(t.Context()); !errors.Is(err, taskmanager.ErrCancelled) {
			t.Errorf("the second task ended with %v, want ErrCancelled", err)
		}
		if err := first.Wait(t.Context()); err != nil {
			t.Errorf("the first task ended with %v", err)
		}
		if !memory.free.TryAcquire(memory.total) {
			t.Error("not all units are free after all tasks have ended")
		}
	})
}

func TestTooManyUnits(t *testing.T) {
	err := newMemory(8).with(9, func(context.Context) error { return nil })(t.Context())
	if err == nil || err.Error() != "the task needs 9 units, and there are 8 in total" {
		t.Errorf("got %v, want an error", err)
	}
}
