package scheduler_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
)

// passed is a pool to which an item is submitted while its only worker is idle, so that the item
// takes the shortcut.
type passed struct {
	*scheduler.Pool[int]

	claimed, withdrawn atomic.Bool // the item, which is 1; not both
	ran                atomic.Int64
	dropped            atomic.Int64
}

func (p *passed) submit(t *testing.T) {
	t.Helper()
	var err error
	p.Pool, err = scheduler.NewPool(scheduler.Config[int]{
		Min: 1, Max: 2,
		Dropped: func(int, error) { p.dropped.Add(1) },
		Hooks: scheduler.Hooks[int]{
			Withdrawn: func(item int) bool { return item == 1 && p.withdrawn.Load() },
			Claim: func(item int) bool {
				if item != 1 {
					return true
				}
				p.claimed.Store(true)
				return !p.withdrawn.Load()
			},
		},
	}, func(int32, int) { p.ran.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if s := p.Snapshot(); s.Idle != 1 {
		t.Fatalf("%d workers are idle before the submit, want 1", s.Idle)
	}
	if err := p.TrySubmit(1); err != nil {
		t.Fatal(err)
	}
}

// TestCallsRightAfterAPass: what is called right after an item was passed to an idle worker takes
// effect, whether the worker has come to take the item by then or not.
func TestCallsRightAfterAPass(t *testing.T) {
	calls := map[string]func(t *testing.T, p *passed){
		"Pause": func(t *testing.T, p *passed) {
			p.Pause()
			started := p.Snapshot().Started
			synctest.Wait()
			s := p.Snapshot()
			check.Equal(t, "items started and queued during the pause", []uint64{s.Started, uint64(s.Queued)}, []uint64{started, 1 - started}) //nolint:gosec // few
			if err := p.TrySubmit(2); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			check.Equal(t, "items started during the pause", p.Snapshot().Started, started)
			p.Resume()
			synctest.Wait()
			check.Equal(t, "items that ran", p.ran.Load(), 2)
		},
		"Withdraw": func(t *testing.T, p *passed) {
			p.Pause() // so that nobody claims the item between the question and the withdrawal
			withdrawn := !p.claimed.Load()
			if err := p.TrySubmit(2); err != nil { // so that it is the worker that skips the other one
				t.Fatal(err)
			}
			if withdrawn {
				p.withdrawn.Store(true)
				p.Withdraw()
			}
			p.Resume()
			synctest.Wait()
			s := p.Snapshot()
			check.Equal(t, "queued, withdrawn and run", []int64{int64(s.Queued), int64(s.Withdrawn), p.ran.Load()}, //nolint:gosec // few
				map[bool][]int64{true: {0, 1, 1}, false: {0, 0, 2}}[withdrawn])
		},
		"Resize": func(t *testing.T, p *passed) {
			check.Equal(t, "Resize", p.Resize(0, 1), nil)
			synctest.Wait()
			check.Equal(t, "items that ran", p.ran.Load(), 1)
		},
		"Close": func(t *testing.T, p *passed) {
			p.Close()
			<-p.Done()
			check.Equal(t, "items that ran", p.ran.Load(), 1)
		},
		"Stop": func(t *testing.T, p *passed) {
			mustStop(t, p.Pool)
			check.Equal(t, "items that ran or were dropped", p.ran.Load()+p.dropped.Load(), 1)
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				synctest.Test(t, func(t *testing.T) {
					var p passed
					p.submit(t)
					call(t, &p)
					mustStop(t, p.Pool)
				})
			}
		})
	}
}
