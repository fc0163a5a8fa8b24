package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// recordNames returns the names in a history.
func recordNames(records []taskmanager.Record) []string {
	names := []string{}
	for _, r := range records {
		names = append(names, r.Name)
	}
	return names
}

// TestHistoryIsOffByDefault checks a manager without WithHistory, and that invalid sizes
// are refused.
func TestHistoryIsOffByDefault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, opts := range [][]taskmanager.Option{nil, {taskmanager.WithHistory(0)}} {
			m := start(t, opts...)
			await(t, submitFunc(t, m, "task", fn0))
			check.Equal(t, "ended tasks", len(m.History()), 0)
		}
		_, err := taskmanager.Start(taskmanager.WithHistory(-1))
		if err == nil || !strings.Contains(err.Error(), "WithHistory") || !strings.Contains(err.Error(), "0 or more") {
			t.Errorf("WithHistory(-1): Start returned %v, want it to say what to do", err)
		}
	})
}

// TestHistoryKeepsTheLastOnesInOrder fills the ring several times. A result of History must
// not change later.
func TestHistoryKeepsTheLastOnesInOrder(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithHistory(size))
			all := []string{}
			for i := range 10 {
				before := m.History()
				names := recordNames(before)
				all = append(all, fmt.Sprint(i))
				await(t, submitFunc(t, m, fmt.Sprint(i), fn0))
				check.Equal(t, "the last names", recordNames(m.History()), all[max(0, len(all)-size):])
				check.Equal(t, "a history that was read before", recordNames(before), names)
			}
		})
	}
}

// TestHistoryIsInTheOrderOfTheEnds ends tasks in another order than that of their submits.
func TestHistoryIsInTheOrderOfTheEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 3), taskmanager.WithHistory(10))
		begin := time.Now()
		for _, s := range []int{3, 1, 2} {
			submitFunc(t, m, fmt.Sprint(s), func(context.Context) error { time.Sleep(time.Duration(s) * time.Second); return nil })
		}
		time.Sleep(2500 * time.Millisecond)
		check.Equal(t, "while one runs still", recordNames(m.History()), []string{"1", "2"})
		stop(t, m) // the history can still be read
		check.Equal(t, "names", recordNames(m.History()), []string{"1", "2", "3"})
		ends := []time.Duration{}
		for _, r := range m.History() {
			ends = append(ends, r.EndedAt.Sub(begin))
		}
		check.Equal(t, "ends", ends, seconds(1, 2, 3))
	})
}

// TestRecordsTellHowTasksEnded covers each way in which a task ends.
func TestRecordsTellHowTasksEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithHistory(10), taskmanager.WithRestart(fixedDelay(time.Second)))
		begin := time.Now()
		at := func(s float64) time.Time { return begin.Add(seconds(s)[0]) }
		runs := 0
		await(t, submit(t, m, &task{name: "restarts", execute: func(context.Context) error {
			time.Sleep(time.Second)
			if runs++; runs < 3 {
				return errFailed
			}
			return nil
		}, restart: func(context.Context, error) bool { return true }}, taskmanager.WithDescription("what it does")))
		await(t, submit(t, m, &task{name: "fails", execute: func(context.Context) error { return errFailed },
			progress: func() (float64, error) { return 0.5, nil }, describe: func() string { return "by its method" }}))
		await(t, submitFunc(t, m, "panics", func(context.Context) error { panic(errFailed) }))
		delayed := submit(t, m, &task{name: "delayed"}, taskmanager.WithDelay(time.Hour))
		time.Sleep(time.Second)
		delayed.Cancel()
		running := submitFunc(t, m, "running", func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Second); return errFailed })
		synctest.Wait()
		submitFunc(t, m, "queued", fn0)
		stop(t, m)

		record := func(name, kind string, queued, started, ended float64, err error) taskmanager.Record {
			r := taskmanager.Record{EndedAt: at(ended)}
			r.Kind, r.Attempt = kind, 1
			r.Name, r.Worker, r.Status, r.LastError, r.QueuedAt = name, 1, taskmanager.Finished, err, at(queued)
			if started >= 0 {
				r.StartedAt = at(started)
			} else {
				r.Worker = 0
			}
			return r
		}
		want := []taskmanager.Record{
			record("restarts", "*taskmanager_test.task", 4, 4, 5, nil),
			record("fails", "*taskmanager_test.task", 5, 5, 5, errFailed),
			record("panics", "func", 5, 5, 5, errFailed),
			record("delayed", "*taskmanager_test.task", 5, -1, 6, taskmanager.ErrCancelled),
			record("queued", "func", 6, -1, 6, taskmanager.ErrStopped),
			record("running", "func", 6, 6, 7, errFailed),
		}
		want[0].Description, want[0].Restarts, want[0].Attempt = "what it does", 2, 3
		want[1].Description, want[1].Progress = "by its method", 0.5 // the last ones
		outcomes := []observe.Outcome{observe.Success, observe.Failure, observe.Failure, observe.Cancelled, observe.Stopped, observe.Stopped}
		types := []string{"", "*errors.errorString", "panic", "", "", ""}
		for i := range want {
			want[i].Outcome, want[i].ErrorType = outcomes[i], types[i]
		}
		if diff := cmp.Diff(want, m.History(), cmpopts.EquateErrors()); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if err := running.Err(); !errors.Is(err, taskmanager.ErrStopped) || !errors.Is(m.History()[5].LastError, taskmanager.ErrStopped) {
			t.Errorf("the task that Stop interrupted ended with %v, want ErrStopped in the history too", err)
		}
	})
}

// TestRefusedSubmitsAreNotInTheHistory also checks that accepted tasks that were dropped
// later are in it.
func TestRefusedSubmitsAreNotInTheHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := crowded(t, taskmanager.Block, taskmanager.WithHistory(10))
		ctx, cancel := context.WithCancel(t.Context())
		waits := make(chan error, 2)
		for _, name := range []string{"context", "cancel"} {
			go func() { _, err := m.SubmitFunc(ctx, name, fn0); waits <- err }()
			synctest.Wait()
		}
		m.Cancel("cancel")
		synctest.Wait()
		cancel()
		for _, want := range []error{taskmanager.ErrCancelled, context.Canceled} {
			if err := <-waits; !errors.Is(err, want) {
				t.Errorf("a submit that waited for room returned %v, want %v", err, want)
			}
		}
		if _, err := m.TrySubmit(t.Context(), &task{name: "full"}); !errors.Is(err, taskmanager.ErrQueueFull) {
			t.Errorf("TrySubmit returned %v, want ErrQueueFull", err)
		}
		_, err := m.SubmitFunc(t.Context(), "queued", fn0)
		if !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Errorf("a submit of a name that is taken returned %v, want ErrAlreadyExists", err)
		}
		check.Equal(t, "ended tasks", recordNames(m.History()), []string{})
		stop(t, m)
		if _, err := m.SubmitFunc(t.Context(), "late", fn0); !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a submit after Stop returned %v, want ErrStopped", err)
		}
		// Stop ends one task and the worker the other, in either order.
		check.Equal(t, "ended tasks after Stop", slices.Sorted(slices.Values(recordNames(m.History()))), []string{"queued", "running"})

		m = crowded(t, taskmanager.DropNewest, taskmanager.WithHistory(10))
		submitFunc(t, m, "dropped", fn0)
		check.Equal(t, "ended tasks with one dropped", recordNames(m.History()), []string{"dropped"})
	})
}

// TestHistoryKnowsOfATaskThatHasEnded checks that a task is in the history before its end
// is visible.
func TestHistoryKnowsOfATaskThatHasEnded(t *testing.T) {
	m := start(t, taskmanager.WithHistory(1000), taskmanager.WithWorkers(4, 4))
	for i := range 1000 {
		h := submitFunc(t, m, fmt.Sprint(i), fn0)
		await(t, h)
		if got := len(m.History()); got != i+1 {
			t.Fatalf("%d records after the end of task %d, want %d", got, i+1, i+1)
		}
	}
}

// TestSuccessesPushedFailuresOutOfTheHistory checks that a hundred thousand successes do not
// replace a failure, and that failures do not replace successes.
func TestSuccessesPushedFailuresOutOfTheHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithHistory(3), taskmanager.WithWorkers(1, 1))
		begin := time.Now()
		await(t, submitFunc(t, m, "the failure", func(context.Context) error { time.Sleep(time.Second); return errFailed }))
		for i := range 100_000 {
			await(t, submitFunc(t, m, fmt.Sprint(i), fn0))
		}
		check.Equal(t, "names", recordNames(m.History()), []string{"the failure", "99997", "99998", "99999"})
		check.Equal(t, "end of the failure", m.History()[0].EndedAt.Sub(begin), time.Second)
		for i := range 5 {
			await(t, submitFunc(t, m, fmt.Sprint("f", i), fails))
		}
		check.Equal(t, "names", recordNames(m.History()), []string{"99997", "99998", "99999", "f2", "f3", "f4"})
	})
}

// TestHistoryEqualsItsModel ends tasks in random ways, and compares the history with a list of
// all ends.
func TestHistoryEqualsItsModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			size := rapid.IntRange(1, 4).Draw(t, "size")
			m, err := taskmanager.Start(taskmanager.WithHistory(size), taskmanager.WithWorkers(1, 1))
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, m)
			type end struct {
				Name    string
				Outcome observe.Outcome
			}
			var all []end
			for i, how := range rapid.SliceOf(rapid.IntRange(0, 3)).Draw(t, "ends") {
				name := fmt.Sprint(i)
				var opts []taskmanager.TaskOption
				outcome := observe.Success
				work := fn0
				switch how {
				case 1:
					work, outcome = fails, observe.Failure
				case 2:
					opts, outcome = append(opts, taskmanager.WithDelay(time.Hour)), observe.Cancelled
				case 3:
					work, outcome = untilCancelled, observe.TimedOut
					opts = append(opts, taskmanager.WithTimeout(time.Second))
				}
				h, err := m.SubmitFunc(context.Background(), name, work, opts...)
				if err != nil {
					t.Fatal(err)
				}
				if how == 2 {
					h.Cancel()
				}
				<-h.Done()
				all = append(all, end{name, outcome})
			}
			sort := map[observe.Outcome]string{observe.Success: "succeeded", observe.Cancelled: "cancelled"} // "": failed
			want, kept := []end{}, map[string]int{}
			for _, e := range slices.Backward(all) {
				if of := sort[e.Outcome]; kept[of] < size {
					kept[of]++
					want = append(want, e)
				}
			}
			slices.Reverse(want)
			got := []end{}
			for _, r := range m.History() {
				got = append(got, end{r.Name, r.Outcome})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("history (-want +got):\n%s", diff)
			}
		})
	})
}

// cancelsInTaskEnded is an observer that cancels each task when it is told of the end.
type cancelsInTaskEnded struct{ told observe.Outcome }

func (o *cancelsInTaskEnded) TaskEnded(ctx context.Context, e observe.End) {
	o.told = e.Outcome
	if h, ok := taskmanager.FromContext(ctx); ok {
		h.Cancel()
	}
}

// TestCancellationDuringTheReportsOfAFailure comes too late: the history, observers and Counts agree.
func TestCancellationDuringTheReportsOfAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := new(cancelsInTaskEnded)
		m := start(t, taskmanager.WithHistory(3), taskmanager.WithObserver(o))
		h := submitFunc(t, m, "a", fails)
		check.Is(t, "Wait", wait(t, h), errFailed)
		check.Equal(t, "the outcome for observers", o.told, observe.Failure)
		check.Equal(t, "the outcome in the history", m.History()[0].Outcome, observe.Failure)
		check.Equal(t, "counts", m.Counts(), taskmanager.Counts{Accepted: 1, Failed: 1})
	})
}
