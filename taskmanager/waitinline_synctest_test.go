package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestInlineRunLeavesAWaitBehind: a task that ran in the place of its submitter is over
// while a goroutine of it still waits, for which the slot of the submitter was lent. The
// submitter goes on when it has that back, as the end of the other one's context is no
// reason of its own to hurry; the end of its own context is one.
func TestInlineRunLeavesAWaitBehind(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.CallerRuns))
			begin, end := make(chan struct{}), make(chan struct{})
			lent, on := make(chan struct{}), make(chan struct{})
			submitter := submitFunc(t, m, "submitter", func(ctx context.Context) error {
				<-begin
				_, err := m.SubmitFunc(ctx, "inline", func(ctx context.Context) error {
					queued, ok := m.Lookup("queued")
					if !ok {
						t.Error("the queued task is gone")
					}
					go func() { _ = queued.Wait(ctx) }()
					<-lent
					return nil
				})
				close(on)
				return err
			})
			synctest.Wait()
			queued := submitFunc(t, m, "queued", func(context.Context) error { <-end; return nil })
			close(begin)
			<-queued.Started() // with the slot of the submitter
			close(lent)
			synctest.Wait()
			if isClosed(on) {
				t.Error("the submitter went on while another task had its slot")
			}
			if cancelled {
				submitter.Cancel()
				synctest.Wait()
				if !isClosed(on) {
					t.Error("the submitter does not go on although it was cancelled")
				}
			}
			close(end)
			await(t, queued)
			if err := wait(t, submitter); err != nil || !isClosed(on) {
				t.Errorf("the submitter ended with %v; it had gone on: %v", err, isClosed(on))
			}
		})
	}
}

// TestInlineRunEndsWhileAWaitOfItIsOver: the goroutine of the task wants the slot of the
// submitter back, which another task has, when the task is over. The submitter waits for it.
func TestInlineRunEndsWhileAWaitOfItIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithLimit(1, taskmanager.CallerRuns))
		target := submitFunc(t, m, "target", fn0, taskmanager.WithDelay(time.Hour))
		over, on, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
		submitter := submitFunc(t, m, "submitter", func(ctx context.Context) error {
			if _, err := m.SubmitFunc(ctx, "queued", func(context.Context) error { <-end; return nil }); err != nil {
				return err
			}
			_, err := m.SubmitFunc(ctx, "inline", func(ctx context.Context) error {
				go func() { _ = target.Wait(ctx) }()
				<-over
				return nil
			})
			close(on)
			return err
		})
		synctest.Wait() // "queued" has the slot
		target.Cancel() // so the goroutine wants it back
		synctest.Wait()
		close(over)
		synctest.Wait()
		if s := m.Snapshot(); isClosed(on) || s.Busy > s.Max {
			t.Errorf("the submitter went on while another task had its slot: %+v", s)
		}
		close(end)
		if err := wait(t, submitter); err != nil {
			t.Error(err)
		}
	})
}
