package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// sleeper starts a pool whose items are the times for which they sleep.
func sleeper(t *testing.T, cfg scheduler.Config[time.Duration]) *scheduler.Pool[time.Duration] {
	t.Helper()
	p, err := scheduler.NewPool(cfg, func(_ int32, d time.Duration) { time.Sleep(d) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

// TestWaitsReturnWhenTheLastItemEnds checks the exact times at which WaitIdle and PauseWait
// return, for several kinds of pools.
func TestWaitsReturnWhenTheLastItemEnds(t *testing.T) {
	for name, cfg := range map[string]scheduler.Config[time.Duration]{
		"fixed":       {Min: 2, Max: 2},
		"growing":     {Max: 2, IdleTimeout: time.Millisecond},
		"disciplined": {Max: 2, Queue: queue.Priority(func(d time.Duration) int { return -int(d) }, 0)},
		"bounded":     {Max: 2, Limit: 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sleeper(t, cfg)
				begin := time.Now()
				for _, d := range []time.Duration{1, 2, 4, 8} { // run in this order, on two workers
					mustSubmit(t, p, d*time.Second)
				}
				time.Sleep(1500 * time.Millisecond)
				check.Equal(t, "PauseWait", p.PauseWait(t.Context()), nil)
				check.Equal(t, "end of the items that ran", time.Since(begin), 5*time.Second) // 1 s, then 4 s
				check.Equal(t, "PauseWait of a pool that is paused", p.PauseWait(cancelled()), nil)
				time.Sleep(time.Minute)
				check.Equal(t, "completed", p.Snapshot().Completed, uint64(3))
				p.Resume()
				check.Equal(t, "WaitIdle", p.WaitIdle(t.Context()), nil)
				check.Equal(t, "end of the rest", time.Since(begin), 73*time.Second)
				check.Equal(t, "WaitIdle of an idle pool", p.WaitIdle(cancelled()), nil)
			})
		})
	}
}

// cancelled returns a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestEndsOfAPauseWait checks how a PauseWait ends before the items do.
func TestEndsOfAPauseWait(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(p *scheduler.Pool[time.Duration], cancel context.CancelFunc)
		is     error
		text   string
		paused bool
	}{
		"context": {func(_ *scheduler.Pool[time.Duration], cancel context.CancelFunc) { cancel() }, context.Canceled, "1 item running and 1 queued", true},
		"Resume":  {func(p *scheduler.Pool[time.Duration], _ context.CancelFunc) { p.Resume() }, nil, "call PauseWait again", false},
		"Close":   {func(p *scheduler.Pool[time.Duration], _ context.CancelFunc) { p.Close() }, scheduler.ErrStopped, "", false},
		"Stop":    {func(p *scheduler.Pool[time.Duration], _ context.CancelFunc) { _ = p.Stop(cancelled()) }, scheduler.ErrStopped, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sleeper(t, scheduler.Config[time.Duration]{Max: 1})
				mustSubmit(t, p, time.Minute)
				synctest.Wait()
				mustSubmit(t, p, time.Hour)
				ctx, cancel := context.WithCancel(t.Context())
				begin, result, idle := time.Now(), make(chan error, 1), make(chan error, 1)
				go func() { result <- p.PauseWait(ctx) }()
				go func() { idle <- p.WaitIdle(t.Context()) }()
				time.Sleep(time.Second)
				c.do(p, cancel)
				err := <-result
				check.Equal(t, "time", time.Since(begin), time.Second)
				if c.is != nil {
					check.Is(t, "PauseWait", err, c.is)
				}
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("PauseWait returned %v, want it to say %q", err, c.text)
				}
				time.Sleep(2 * time.Minute)
				check.Equal(t, "paused still", p.Snapshot().Started == 1 && p.Snapshot().Queued == 1, c.paused)
				if c.paused {
					p.Resume()
				}
				check.Equal(t, "WaitIdle", <-idle, nil)
				check.Equal(t, "items left", p.Snapshot().Queued+p.Snapshot().Busy, 0)
				if c.is == scheduler.ErrStopped { //nolint:errorlint // the sentinel of the case
					check.Is(t, "PauseWait afterwards", p.PauseWait(t.Context()), scheduler.ErrStopped)
				}
			})
		})
	}
}

// TestPauseWaitCountsInlineAndLentItems checks that it waits for an item that runs in its submit, and for
// one that has lent its slot.
func TestPauseWaitCountsInlineAndLentItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sleeper(t, scheduler.Config[time.Duration]{Max: 1, Limit: scheduler.HandOver, Overflow: scheduler.CallerRuns})
		begin := time.Now()
		mustSubmit(t, p, time.Second)
		synctest.Wait()
		go func() { _ = p.Submit(t.Context(), 3*time.Second) }()
		synctest.Wait()
		check.Equal(t, "inline", p.Snapshot().Inline, 1)
		check.Equal(t, "PauseWait", p.PauseWait(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), 3*time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		var p *scheduler.Pool[int]
		p, err := scheduler.NewPool(scheduler.Config[int]{Max: 1}, func(worker int32, _ int) {
			resume := p.Lend(worker, nil)
			time.Sleep(time.Minute)
			resume(nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Stop(context.Background()) }()
		begin := time.Now()
		mustSubmit(t, p, 1)
		time.Sleep(time.Second)
		check.Equal(t, "lent", p.Snapshot().Lent, 1)
		check.Equal(t, "PauseWait", p.PauseWait(t.Context()), nil)
		check.Equal(t, "time", time.Since(begin), time.Minute)
	})
}

// TestWaitsForABatchThatRunsInline checks that WaitIdle and PauseWait do not take the moment between
// two items that run inline for the end of the batch.
func TestWaitsForABatchThatRunsInline(t *testing.T) {
	items := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} // on the worker, inline, after that
	type pool = scheduler.Pool[time.Duration]
	for name, c := range map[string]struct {
		submit func(*pool, context.Context, []time.Duration) error
		wait   func(*pool, context.Context) error
		err    error         // of the submit
		took   time.Duration // the wait
	}{
		"SubmitAll, WaitIdle":       {(*pool).SubmitAll, (*pool).WaitIdle, nil, 6 * time.Second},
		"SubmitAll, PauseWait":      {(*pool).SubmitAll, (*pool).PauseWait, scheduler.ErrQueueFull, 2 * time.Second},
		"SubmitTogether, WaitIdle":  {(*pool).SubmitTogether, (*pool).WaitIdle, nil, 6 * time.Second},
		"SubmitTogether, PauseWait": {(*pool).SubmitTogether, (*pool).PauseWait, nil, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := sleeper(t, scheduler.Config[time.Duration]{Min: 1, Max: 1, Limit: scheduler.HandOver, Overflow: scheduler.CallerRuns})
				synctest.Wait()
				begin, result := time.Now(), make(chan error, 1)
				go func() { result <- c.submit(p, t.Context(), items) }()
				time.Sleep(1500 * time.Millisecond)
				check.Equal(t, "inline", p.Snapshot().Inline, 1)
				check.Equal(t, "the wait", c.wait(p, t.Context()), nil)
				check.Equal(t, "time", time.Since(begin), c.took)
				started := p.Snapshot().Started
				check.Is(t, "the submit", <-result, c.err)
				time.Sleep(time.Minute)
				check.Equal(t, "items that started after the wait", p.Snapshot().Started-started, 0)
			})
		})
	}
}

// TestWaitIdleNoticesEveryEnd lets the last thing that a pool has to do be something other than
// the end of an item on a worker.
func TestWaitIdleNoticesEveryEnd(t *testing.T) {
	wait := func(p interface{ WaitIdle(context.Context) error }) <-chan error {
		result := make(chan error, 1)
		go func() { result <- p.WaitIdle(context.Background()) }()
		synctest.Wait()
		return result
	}
	t.Run("withdrawal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, scheduler.Config[*job]{Max: 1})
			defer r.close(t)
			r.pool.Pause()
			j := newJob(1)
			mustSubmit(t, r.pool, j)
			result := wait(r.pool)
			check.Equal(t, "returned", len(result), 0)
			j.gone.Store(true)
			r.pool.Withdraw()
			check.Equal(t, "WaitIdle", <-result, nil)
		})
	})
	t.Run("submitter that gives up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := sleeper(t, scheduler.Config[time.Duration]{Max: 1, Limit: scheduler.HandOver})
			p.Pause()
			ctx, cancel := context.WithCancel(t.Context())
			submitted := make(chan error, 1)
			go func() { submitted <- p.Submit(ctx, 1) }()
			synctest.Wait()
			result := wait(p)
			check.Equal(t, "returned", len(result), 0)
			cancel()
			check.Is(t, "Submit", <-submitted, context.Canceled)
			check.Equal(t, "WaitIdle", <-result, nil)
		})
	})
	t.Run("report of a dropped item", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			p := sleeper(t, scheduler.Config[time.Duration]{
				Max: 1, Limit: scheduler.HandOver, Overflow: scheduler.DropNewest,
				Dropped: func(time.Duration, error) { time.Sleep(time.Minute) },
			})
			mustSubmit(t, p, time.Second)
			synctest.Wait()
			go func() { mustSubmit(t, p, time.Second) }()
			synctest.Wait()
			check.Equal(t, "WaitIdle", p.WaitIdle(t.Context()), nil)
			check.Equal(t, "time", time.Since(begin), time.Minute)
		})
	})
	t.Run("Stop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := sleeper(t, scheduler.Config[time.Duration]{Max: 1})
			begin := time.Now()
			mustSubmit(t, p, time.Minute)
			synctest.Wait()
			mustSubmit(t, p, time.Hour)
			result := wait(p)
			go func() { _ = p.Stop(context.Background()) }()
			check.Equal(t, "WaitIdle", <-result, nil)
			check.Equal(t, "time", time.Since(begin), time.Minute)
		})
	})
}

// TestItemsMustNotWaitForTheirPool checks the errors of calls by an item, where the pool knows its
// items, and with a nil context.
func TestItemsMustNotWaitForTheirPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *scheduler.Pool[int]
		results := make(chan error, 2)
		p, err := scheduler.NewPool(scheduler.Config[int]{Max: 1, Limit: 1}, func(int32, int) {
			results <- p.WaitIdle(context.Background())
			results <- p.PauseWait(context.Background())
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Stop(context.Background()) }()
		mustSubmit(t, p, 1)
		for range 2 {
			check.Is(t, "wait by an item", <-results, scheduler.ErrWouldDeadlock)
		}
		mustSubmit(t, p, 2) // the pool is not paused
		for range 2 {
			check.Is(t, "wait by an item", <-results, scheduler.ErrWouldDeadlock)
		}
		check.Is(t, "WaitIdle(nil)", p.WaitIdle(nil), scheduler.ErrNilContext)   //nolint:staticcheck // a nil context is under test
		check.Is(t, "PauseWait(nil)", p.PauseWait(nil), scheduler.ErrNilContext) //nolint:staticcheck // a nil context is under test
	})
}

// ExamplePool_PauseWait changes something that no item may see half-changed.
func ExamplePool_PauseWait() {
	config := "old"
	pool, err := scheduler.NewPool(scheduler.Config[int]{Max: 4}, func(int32, int) { _ = config })
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for i := range 100 {
		if err := pool.Submit(ctx, i); err != nil {
			panic(err)
		}
	}
	if err := pool.PauseWait(ctx); err != nil {
		panic(err)
	}
	config = "new" // no item runs
	pool.Resume()
	fmt.Println(pool.WaitIdle(ctx), pool.Snapshot().Completed)
	fmt.Println(pool.Stop(ctx))
	// Output:
	// <nil> 100
	// <nil>
}
