package scheduler_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// gated is a scaler that asks for the maximum. A call waits at the gate if there is one.
type gated struct {
	mu    sync.Mutex
	gate  chan struct{}
	asked []int // the maximum at each call
}

func (g *gated) NeedsTime() bool { return false }

func (g *gated) Scale(s scale.Snapshot) scale.Decision {
	g.mu.Lock()
	g.asked = append(g.asked, s.Max)
	gate := g.gate
	g.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return scale.Decision{Target: s.Max}
}

func (g *gated) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gate, g.asked = make(chan struct{}), nil
}

func (g *gated) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.gate)
	g.gate = nil
}

func (g *gated) calls() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]int{}, g.asked...)
}

// TestBlockedScalerBlocksNoCall checks that Resume, Resize, Submit, Withdraw, Drain and Stop
// do not wait for a scaler that blocks, beyond their contexts.
func TestBlockedScalerBlocksNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gated)
		r := newRig(t, scheduler.Config[*job]{Max: 4, Scaler: g})
		synctest.Wait()
		g.close()
		done := background(func() error {
			r.pool.Resume()
			check.Is(t, "Resize", r.pool.Resize(0, 5), nil)
			mustSubmit(t, r.pool, newJobs(20)...)
			r.pool.Withdraw()
			r.pool.UndoWithdraw()
			for _, end := range []func(context.Context) error{r.pool.Drain, r.pool.Stop} {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				err := end(ctx)
				check.Is(t, "Drain or Stop", err, context.DeadlineExceeded)
				check.Equal(t, "the error names the scaler", strings.Contains(err.Error(), "waiting for the scaler"), true)
				check.Equal(t, "time", time.Since(begin), time.Second)
				cancel()
			}
			return nil
		})
		time.Sleep(time.Minute)
		if !returned(done) {
			t.Error("a call still waits for the scaler")
		}
		g.open()
		r.close(t)
		check.Equal(t, "the scaler is asked", r.pool.AsksScaler(), false)
		check.Equal(t, "calls of the scaler after the first, which blocked", len(g.calls()) <= 2, true)
	})
}

// TestBlockedScalerIsAskedAgain checks that changes during a call of the scaler lead to one
// further call, which sees all of them, and that its decision is the last one.
func TestBlockedScalerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gated)
		r := newRig(t, scheduler.Config[*job]{Max: 4, Scaler: g})
		g.close()
		r.pool.Resume()
		synctest.Wait()
		for _, most := range []int{5, 6, 7} {
			check.Is(t, "Resize", r.pool.Resize(0, most), nil)
			synctest.Wait()
		}
		g.open()
		synctest.Wait()
		check.Equal(t, "bounds that the scaler saw", g.calls(), []int{4, 7})
		check.Equal(t, "workers", r.pool.Snapshot().Workers, 7)
		r.close(t)
	})
}
