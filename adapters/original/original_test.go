package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plexsysio/taskmanager"

	current "github.com/seed56799101/taskmanager/taskmanager"
)

// counts are how many workers there are in the life of a manager.
type counts struct{ atStart, busy, idle int }

// TestArguments: New accepts every argument, and as documented. Each manager gets more tasks
// than workers, and runs them all.
func TestArguments(t *testing.T) {
	const few = 3 // workers where the maximum does not bound them
	for _, c := range []struct {
		minCount, maxCount int
		timeout            time.Duration
		want               counts
	}{
		{1, few, time.Second, counts{1, few, 1}},
		{0, few, time.Second, counts{0, few, 0}},
		{few, few, time.Second, counts{few, few, few}},
		{-1, few, time.Second, counts{0, few, 0}},
		{math.MinInt, few, time.Second, counts{0, few, 0}},
		{few, 1, time.Second, counts{few, few, few}},
		{few, 0, time.Second, counts{few, few, few}},
		{few, math.MinInt, time.Second, counts{few, few, few}},
		{0, 0, time.Second, counts{0, 1, 0}},
		{0, -1, time.Second, counts{0, 1, 0}},
		{-2, -1, time.Second, counts{0, 1, 0}},
		{1, math.MaxInt32, time.Second, counts{1, 10, 1}},
		{1, math.MaxInt, time.Second, counts{1, 10, 1}},
		{1, few, 0, counts{1, few, 1}},
		{1, few, -time.Second, counts{1, few, 1}},
		{0, few, math.MinInt64, counts{0, few, 0}},
		{1, few, math.MaxInt64, counts{1, few, few}},
	} {
		t.Run(fmt.Sprint(c.minCount, c.maxCount, c.timeout), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := taskmanager.New(c.minCount, c.maxCount, c.timeout, nil)
				synctest.Wait()
				got := counts{atStart: len(m.Status())}
				const tasks = 10
				ran := make(chan struct{}, tasks)
				for i := range tasks {
					_, err := m.GoFunc(fmt.Sprint(i), func(context.Context) error {
						time.Sleep(time.Minute)
						ran <- struct{}{}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				got.busy = len(m.Status())
				time.Sleep(time.Hour)
				got.idle = len(m.Status())
				if len(ran) != tasks {
					t.Errorf("%d tasks ran, want %d", len(ran), tasks)
				}
				if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(counts{})); diff != "" {
					t.Errorf("workers (-want +got):\n%s", diff)
				}
				stop(t, m)
			})
		})
	}
}

// TestTimeoutOfZero: a worker above the minimum exits when it finds no task, and not before.
func TestTimeoutOfZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := taskmanager.New(1, 2, 0, nil)
		for _, name := range []string{"a", "b", "c"} {
			if _, err := m.GoFunc(name, func(context.Context) error { time.Sleep(time.Second); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		var got []int
		time.Sleep(time.Second / 2)
		for range 3 { // two tasks run, then the third, then none
			got = append(got, len(m.Status()))
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff([]int{2, 1, 1}, got); diff != "" {
			t.Errorf("workers (-want +got):\n%s", diff)
		}
		stop(t, m)
	})
}

// TestErrorsAreThoseOfTheReplacement: programs compare with == and with errors.Is, through
// either import path.
func TestErrorsAreThoseOfTheReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := taskmanager.New(1, 1, time.Second, nil)
		wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		started, err := m.GoFunc("name", wait)
		if err != nil {
			t.Fatal(err)
		}
		<-started
		_, err = m.GoFunc("name", wait)
		if err != taskmanager.ErrAlreadyExists || !errors.Is(err, current.ErrAlreadyExists) { //nolint:errorlint // the error itself is wanted
			t.Errorf("the second task of a name: %v, want %v", err, taskmanager.ErrAlreadyExists)
		}
		stop(t, m)
		if _, err := m.GoFunc("late", wait); !errors.Is(err, current.ErrStopped) {
			t.Errorf("after Stop: %v, want %v", err, current.ErrStopped)
		}
	})
}

func stop(t *testing.T, m *taskmanager.TaskManager) {
	t.Helper()
	if err := m.Stop(context.Background()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
