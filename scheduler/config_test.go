package scheduler_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

func nothing(int32, int) {}

func TestDefaults(t *testing.T) {
	p, err := scheduler.NewPool(scheduler.Config[int]{}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	defer mustStop(t, p)
	check.Equal(t, "snapshot", counts(p.Snapshot()), scale.Snapshot{Max: runtime.GOMAXPROCS(0)})

	many := runtime.GOMAXPROCS(0) + 3
	q, err := scheduler.NewPool(scheduler.Config[int]{Min: many}, nothing)
	if err != nil {
		t.Fatal(err)
	}
	defer mustStop(t, q)
	check.Equal(t, "snapshot", counts(q.Snapshot()), scale.Snapshot{Min: many, Max: many, Workers: many, Idle: many})
}

func TestDefaultsDropAndCrashInSilence(t *testing.T) {
	quiet(t)
	p, err := scheduler.NewPool(scheduler.Config[int]{Max: 1}, func(int32, int) { panic("logged") })
	if err != nil {
		t.Fatal(err)
	}
	mustSubmit(t, p, 1)
	waitFor(t, "the item crashed", func() bool { return p.Snapshot().Failed == 1 })
	p.Pause()
	mustSubmit(t, p, 2)
	mustStop(t, p)
	check.Equal(t, "dropped", p.Snapshot().Dropped, 1)
}

// faults has invalid configurations, each with a word of its error.
var faults = map[string]struct {
	set  func(*scheduler.Config[int])
	word string
}{
	"Min below 0":            {func(c *scheduler.Config[int]) { c.Min = -1 }, "minimum of workers is -1"},
	"Max below 1":            {func(c *scheduler.Config[int]) { c.Max = -1 }, "maximum of workers is -1"},
	"Min above Max":          {func(c *scheduler.Config[int]) { c.Min, c.Max = 5, 4 }, "exceeds"},
	"Max too large":          {func(c *scheduler.Config[int]) { c.Max = math.MaxInt }, "at most"},
	"IdleTimeout below 0":    {func(c *scheduler.Config[int]) { c.IdleTimeout = -1 }, "idle timeout is -1ns"},
	"Limit below HandOver":   {func(c *scheduler.Config[int]) { c.Limit = -2 }, "limit is -2"},
	"unknown Overflow":       {func(c *scheduler.Config[int]) { c.Limit, c.Overflow = 1, 9 }, "policy Overflow(9)"},
	"bad Scaler":             {func(c *scheduler.Config[int]) { c.Scaler = scale.Stabilise(0, scale.Demand(1)) }, "time is 0s"},
	"Overflow, but no Limit": {func(c *scheduler.Config[int]) { c.Overflow = scheduler.Reject }, "without a limit"},
}

func TestEachFaultIsReported(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			if name == "Max too large" && strconv.IntSize == 32 {
				t.Skip("an int of 32 bits cannot be too large")
			}
			var cfg scheduler.Config[int]
			f.set(&cfg)
			p, err := scheduler.NewPool(cfg, nothing)
			wantFault(t, err, f.word)
			if p != nil {
				t.Errorf("NewPool returned a pool beside the error")
			}
		})
	}
}

func wantFault(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("NewPool returned nil, want an error that says %q", words)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "scheduler: ") {
			t.Errorf("the error %q does not begin with the package's name", line)
		}
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q; want it to say %q", err, w)
		}
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	_, err := scheduler.NewPool(scheduler.Config[int]{
		Min: 5, Max: 4, IdleTimeout: -time.Second, Limit: -7, Overflow: 9,
	}, nil)
	wantFault(t, err, "exceeds", "idle timeout is -1s", "limit is -7", "policy Overflow(9)", "function to run is nil")
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("the error is a %T, want what errors.Join returns", err)
	}
	if n := len(joined.Unwrap()); n < 2 {
		t.Errorf("%d errors are joined, want at least 2", n)
	}
}

func TestNilFunction(t *testing.T) {
	_, err := scheduler.NewPool[int](scheduler.Config[int]{}, nil)
	wantFault(t, err, "function to run is nil")
}

func TestQueueFactories(t *testing.T) {
	for name, tc := range map[string]struct {
		factory queue.Factory[int]
		word    string
	}{
		"nil":                 {func() queue.Queue[int] { return nil }, "returned nil"},
		"Holder, not Remover": {func() queue.Queue[int] { return holderOnly{new(lifo[int])} }, "queue.Remover"},
		"bad arguments":       {queue.Priority[int](nil, -1), "queue: Priority: the function level is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scheduler.NewPool(scheduler.Config[int]{Min: 1, Queue: tc.factory}, nothing)
			wantFault(t, err, tc.word)
		})
	}
}

// TestOverflowNeedsTheQueue checks that an overflow policy which the queue does not support
// is an error that names both.
func TestOverflowNeedsTheQueue(t *testing.T) {
	self := func(i int) int { return i }
	for name, tc := range map[string]struct {
		overflow scheduler.Overflow
		queue    queue.Factory[int]
		words    []string
	}{
		"no oldest":    {scheduler.DropOldest, queue.LimitByKey(1, self, nil), []string{"DropOldest", "queue.Evictor", "oldest", "queue.limit"}},
		"no worst":     {scheduler.DropWorst, newLIFO[int], []string{"DropWorst", "queue.Evictor", "worst", "scheduler_test.lifo"}},
		"beyond limit": {scheduler.CallerRuns, queue.LimitByKey(1, self, nil), []string{"CallerRuns", "queue.limit"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scheduler.NewPool(scheduler.Config[int]{Limit: 1, Overflow: tc.overflow, Queue: tc.queue}, nothing)
			wantFault(t, err, tc.words...)
		})
	}
}

// TestFaultOfTheQueueJoinsTheOthers checks that all faults are reported together, that of
// the queue included.
func TestFaultOfTheQueueJoinsTheOthers(t *testing.T) {
	_, err := scheduler.NewPool(scheduler.Config[int]{
		Limit: -7, Queue: func() queue.Queue[int] { return nil },
	}, nothing)
	wantFault(t, err, "limit is -7", "returned nil")
}

// holderOnly may hold items back, and the pool could not reach them.
type holderOnly struct{ queue.Queue[int] }

func (holderOnly) Held() int { return 0 }

func TestErrorsReadWell(t *testing.T) {
	err := error(&scheduler.BatchError{Admitted: 3, Err: scheduler.ErrQueueFull})
	check.Is(t, "errors.Is of a BatchError", err, scheduler.ErrQueueFull)
	if !strings.HasPrefix(err.Error(), "scheduler: ") || !strings.Contains(err.Error(), "3 items") {
		t.Errorf("the BatchError reads %q; want the package's name and the number of items", err)
	}
	wrapped := fmt.Errorf("mine: %w", err)
	if be, ok := errors.AsType[*scheduler.BatchError](wrapped); !ok || be.Admitted != 3 {
		t.Errorf("errors.AsType does not find the BatchError in %v", wrapped)
	}
}
