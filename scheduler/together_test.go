package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestSubmitTogetherEqualsItsModel compares a pool with a model. Batches and single items are
// submitted; the pool is paused, resized and finally stopped or drained. The model has no
// workers, only the number of items that may run.
func TestSubmitTogetherEqualsItsModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newBatches(t)
			defer s.abandon()
			t.Repeat(map[string]func(*rapid.T){
				"together":  s.together,
				"together2": s.together,
				"submit":    s.submit,
				"finish":    s.finish,
				"finish2":   s.finish,
				"cancel":    s.cancel,
				"pause":     s.pause,
				"resize":    s.resize,
				"time":      func(*rapid.T) { time.Sleep(time.Minute) }, // idle workers leave
				"":          s.check,
			})
			s.end(t)
		})
	})
}

// call is a call of SubmitTogether or Submit.
type call struct {
	items    []*job
	together bool
	cancel   context.CancelFunc
	result   chan error

	// Expected by the model.
	settled bool
	err     error
}

// batches is a pool with its model.
type batches struct {
	*rig
	max, limit int
	overflow   scheduler.Overflow
	byLevel    bool // under Priority; otherwise a FIFO
	paused     bool
	queue      []*job // with those of waiting calls, in the order of arrival
	busy       []*job
	inline     []*job // the call at the same index submitted it
	callers    []*call
	waiting    []*call
	calls      []*call
	drops      []drop
	next       int
	count      scale.Snapshot // Submitted, Started, Completed, Dropped
}

func newBatches(t *rapid.T) *batches {
	s := &batches{max: rapid.IntRange(1, 4).Draw(t, "max")}
	cfg := scheduler.Config[*job]{Min: rapid.IntRange(0, s.max).Draw(t, "min"), Max: s.max, IdleTimeout: time.Second}
	if cfg.Limit = rapid.SampledFrom([]int{0, scheduler.HandOver, 1, 2, 4}).Draw(t, "limit"); cfg.Limit != 0 {
		s.overflow = rapid.SampledFrom([]scheduler.Overflow{
			scheduler.Block, scheduler.Block, scheduler.Block, scheduler.Reject, scheduler.DropNewest,
			scheduler.DropOldest, scheduler.DropWorst, scheduler.CallerRuns,
		}).Draw(t, "overflow")
	}
	if rapid.Bool().Draw(t, "metered") {
		cfg.Scaler = scalerFunc(scale.Demand(1).Scale)
	}
	if s.byLevel = rapid.Bool().Draw(t, "by level"); s.byLevel {
		cfg.Queue = queue.Priority((*job).level, 0)
	}
	s.limit, cfg.Overflow = cfg.Limit, s.overflow
	s.rig = newRig(t, cfg)
	return s
}

// room reports whether n more items may be admitted. The limit counts items beyond those
// that free workers, which grow on demand, can take.
func (s *batches) room(n int) bool {
	free := 0
	if !s.paused {
		free = max(s.max-len(s.busy), 0)
	}
	return s.limit == 0 || len(s.queued())+n <= max(s.limit, 0)+free
}

// queued returns the accepted items in the queue.
func (s *batches) queued() []*job {
	blocked := s.blocked()
	return slices.DeleteFunc(slices.Clone(s.queue), func(j *job) bool { return slices.Contains(blocked, j) })
}

// admit accepts the items of a waiting call.
func (s *batches) admit(c *call) {
	s.waiting = slices.DeleteFunc(s.waiting, func(x *call) bool { return x == c })
	c.settled = true
	s.count.Submitted += uint64(len(c.items))
}

// pop removes the item that runs next.
func (s *batches) pop() *job {
	i := 0
	if s.byLevel {
		i = slices.Index(s.queue, slices.MaxFunc(s.queue, func(a, b *job) int { return a.level() - b.level() }))
	}
	j := s.queue[i]
	s.queue = slices.Delete(s.queue, i, i+1)
	return j
}

func (s *batches) push(j *job) {
	s.queue = append(s.queue, j)
	s.count.Submitted++
}

// settle starts items and admits waiting calls: the first ones while there is room, and those
// whose items start.
func (s *batches) settle() {
	for {
		for len(s.waiting) > 0 && len(s.queued())+len(s.waiting[0].items) <= s.limit {
			s.admit(s.waiting[0])
		}
		if len(s.queue) == 0 || len(s.busy) >= s.max || s.paused {
			return
		}
		j := s.pop()
		if i := slices.IndexFunc(s.waiting, func(c *call) bool { return slices.Contains(c.items, j) }); i >= 0 {
			s.admit(s.waiting[i])
		}
		s.busy = append(s.busy, j)
		s.count.Started++
	}
}

// begin makes a call and updates the model.
func (s *batches) begin(n int, together bool) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &call{together: together, cancel: cancel, result: make(chan error, 1)}
	for range n {
		s.next++
		c.items = append(c.items, newJob(s.next))
	}
	s.calls = append(s.calls, c)
	go func() {
		if together {
			c.result <- s.pool.SubmitTogether(ctx, c.items)
		} else {
			c.result <- s.pool.Submit(ctx, c.items[0])
		}
	}()
	synctest.Wait()
	s.take(c)
	s.settle()
}

// take models a submit.
func (s *batches) take(c *call) {
	n := len(c.items)
	c.settled = true
	switch {
	case n == 0 || len(s.waiting) == 0 && s.room(n):
		for _, j := range c.items {
			s.push(j)
		}
	case s.overflow == scheduler.Block && (!c.together || n <= max(s.limit, 0)+s.max):
		c.settled = false
		s.waiting = append(s.waiting, c)
		s.queue = append(s.queue, c.items...)
	case s.overflow == scheduler.CallerRuns && !s.paused:
		c.settled = false
		s.inline, s.callers = append(s.inline, c.items[0]), append(s.callers, c)
		s.count.Submitted++
		s.count.Started++
	case s.overflow == scheduler.DropNewest, s.overflow == scheduler.DropOldest, s.overflow == scheduler.DropWorst:
		for _, j := range c.items {
			fits := s.room(1)
			s.push(j)
			if !fits {
				s.evict()
			}
		}
	default:
		c.err = scheduler.ErrQueueFull
	}
}

// evict gives up the oldest queued item, or the newest, which is the worst in a FIFO.
func (s *batches) evict() {
	i := len(s.queue) - 1
	switch {
	case s.overflow == scheduler.DropOldest:
		i = 0
	case s.overflow == scheduler.DropWorst && s.byLevel:
		for k := i; k >= 0; k-- {
			if s.queue[k].level() < s.queue[i].level() {
				i = k
			}
		}
	}
	s.drops = append(s.drops, drop{s.queue[i].id, scheduler.ErrDropped})
	s.queue = slices.Delete(s.queue, i, i+1)
	s.count.Dropped++
}

func (s *batches) together(t *rapid.T) {
	most := 9
	if s.overflow == scheduler.CallerRuns {
		most = 1 // for more see TestTogetherUnderCallerRuns
	}
	s.begin(rapid.IntRange(0, most).Draw(t, "items"), true)
}

func (s *batches) submit(*rapid.T) { s.begin(1, false) }

func (s *batches) finish(t *rapid.T) {
	jobs := slices.Concat(s.busy, s.inline)
	if len(jobs) == 0 {
		t.Skip("nothing runs")
	}
	j := rapid.SampledFrom(jobs).Draw(t, "item")
	j.end <- returns
	synctest.Wait()
	s.count.Completed++
	if i := slices.Index(s.inline, j); i >= 0 {
		s.callers[i].settled = true
		s.inline, s.callers = slices.Delete(s.inline, i, i+1), slices.Delete(s.callers, i, i+1)
	} else {
		s.busy = slices.DeleteFunc(s.busy, func(x *job) bool { return x == j })
	}
	s.settle()
}

func (s *batches) cancel(t *rapid.T) {
	if len(s.waiting) == 0 {
		t.Skip("nobody waits")
	}
	c := rapid.SampledFrom(s.waiting).Draw(t, "call")
	c.cancel()
	synctest.Wait()
	c.settled, c.err = true, context.Canceled
	s.leave(c)
	s.settle()
}

// leave ends the wait of a call that is not admitted.
func (s *batches) leave(c *call) {
	s.waiting = slices.DeleteFunc(s.waiting, func(x *call) bool { return x == c })
	s.queue = slices.DeleteFunc(s.queue, func(j *job) bool { return slices.Contains(c.items, j) })
}

func (s *batches) pause(*rapid.T) {
	if s.paused = !s.paused; s.paused {
		s.pool.Pause()
	} else {
		s.pool.Resume()
	}
	s.settle()
}

func (s *batches) resize(t *rapid.T) {
	s.max = rapid.IntRange(1, 4).Draw(t, "max")
	if err := s.pool.Resize(rapid.IntRange(0, s.max).Draw(t, "min"), s.max); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

// blocked returns the ids of the items that wait for room.
func (s *batches) blocked() []*job {
	all := []*job{}
	for _, c := range s.waiting {
		all = append(all, c.items...)
	}
	return all
}

func (s *batches) check(t *rapid.T) {
	synctest.Wait()
	got := counts(s.pool.Snapshot())
	want := s.count
	want.Busy, want.Inline, want.Queued, want.Blocked = len(s.busy), len(s.inline), len(s.queued()), len(s.blocked())
	want.Min, want.Max, want.Workers, want.Idle = got.Min, got.Max, got.Workers, got.Idle // not in the model
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("snapshot (-want +got):\n%s", diff)
	}
	sum := got.Completed + got.Failed + got.Withdrawn + got.Shed + got.Dropped + uint64(got.Busy+got.Inline+got.Lent+got.Queued)
	if sum != got.Submitted {
		t.Fatalf("%d items were submitted, and %d are accounted for", got.Submitted, sum)
	}
	running := ids(slices.Concat(s.busy, s.inline))
	slices.Sort(running)
	check.Equal(t, "running items", s.running(), running)
	check.Equal(t, "dropped items", s.dropsByID(), byID(s.drops))
	s.checkCalls(t)
}

func (s *batches) checkCalls(t *rapid.T) {
	for _, c := range s.calls {
		switch got := len(c.result) > 0; {
		case got != c.settled:
			t.Fatalf("the submit of %v has returned: %v, want %v, with %v", c.items, got, c.settled, c.err)
		case got:
			err := <-c.result
			c.result <- err
			check.Is(t, "a submit", err, c.err)
		}
	}
}

// end stops or drains the pool.
func (s *batches) end(t *rapid.T) {
	drain := rapid.Bool().Draw(t, "drain")
	stopping := s.pool.Stop
	if drain {
		stopping = s.pool.Drain
	}
	result := background(func() error { return stopping(context.Background()) })
	synctest.Wait()
	for _, c := range slices.Clone(s.waiting) { // all items of a batch or none
		c.settled, c.err = true, scheduler.ErrStopped
		s.leave(c)
	}
	s.paused = false
	if !drain {
		for _, j := range s.queue {
			s.drops = append(s.drops, drop{j.id, scheduler.ErrStopped})
			s.count.Dropped++
		}
		s.queue = nil
	}
	for s.settle(); len(s.busy)+len(s.inline) > 0; s.settle() {
		for _, j := range slices.Concat(s.busy, s.inline) {
			j.end <- returns
			s.count.Completed++
		}
		for _, c := range s.callers {
			c.settled = true
		}
		s.busy, s.inline, s.callers = nil, nil, nil
		synctest.Wait()
	}
	if err := <-result; err != nil {
		t.Fatalf("Stop or Drain returned %v", err)
	}
	s.check(t)
}

// abandon ends everything, so that a failing property leaves no goroutine.
func (s *batches) abandon() {
	close(s.abort)
	for _, c := range s.calls {
		c.cancel()
	}
	s.pool.Resume()
	ctx, cancel := soon()
	defer cancel()
	_ = s.pool.Stop(ctx) // the property checks the end itself
	synctest.Wait()
}

// TestTogetherBadInput checks a nil context, an ended context and a stopped pool.
func TestTogetherBadInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scheduler.Config[*job]{Max: 1, Limit: 1})
		js := newJobs(2)
		check.Is(t, "with a nil context", r.pool.SubmitTogether(nil, js), scheduler.ErrNilContext) //nolint:staticcheck // the subject of the test
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.ErrUnsupported)
		check.Is(t, "with a context that has ended", r.pool.SubmitTogether(ctx, js), errors.ErrUnsupported)
		check.Is(t, "of nothing", r.pool.SubmitTogether(t.Context(), nil), nil)
		r.close(t)
		check.Is(t, "after Stop", r.pool.SubmitTogether(t.Context(), js), scheduler.ErrStopped)
		check.Equal(t, "submitted", r.pool.Snapshot().Submitted, 0)
	})
}
