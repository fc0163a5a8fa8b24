package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// TestLendEqualsItsModel compares a pool with a model. Items lend their slots, from one
// goroutine or from two, and continue with a slot or, in a hurry, without one. The pool is
// resized and paused meanwhile.
func TestLendEqualsItsModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newLenders(t)
			defer s.stop(t)
			t.Repeat(map[string]func(*rapid.T){
				"submit": s.submit,
				"lend":   s.lend,
				"lend2":  s.lend,
				"resume": s.resume,
				"hurry":  s.hurry,
				"finish": s.finish,
				"resize": s.resize,
				"pause":  s.pause,
				"":       s.check,
			})
		})
	})
}

// lender is an item with two goroutines. The first is that of its worker.
type lender struct {
	id      int
	orders  [2]chan func(worker int32) (over bool)
	resumes [2]func(hurry <-chan struct{})
	hurry   [2]chan struct{}
	waiting [2]bool // has lent
	blocked [2]bool // waits for a slot
	waits   int
	slot    bool
}

// free reports whether a goroutine waits for its next command.
func (x *lender) free(g int) bool { return !x.blocked[g] }

func (x *lender) run(worker int32) {
	go func() {
		for order := range x.orders[1] {
			order(worker)
		}
	}()
	for order := range x.orders[0] {
		if order(worker) {
			return
		}
	}
}

type lenders struct {
	pool      *scheduler.Pool[*lender]
	min, max  int
	paused    bool
	submitted int
	queue     []*lender
	running   []*lender // started and not ended
	returning []*lender
	over      []*lender
}

func newLenders(t *rapid.T) *lenders {
	s := &lenders{min: rapid.IntRange(0, 2).Draw(t, "min")}
	s.max = rapid.IntRange(max(1, s.min), 3).Draw(t, "max")
	cfg := scheduler.Config[*lender]{Min: s.min, Max: s.max}
	if rapid.Bool().Draw(t, "metered") {
		cfg.Scaler = scale.Tolerance(0, scale.Demand(1))
	}
	pool, err := scheduler.NewPool(cfg, func(worker int32, x *lender) { x.run(worker) })
	if err != nil {
		t.Fatal(err)
	}
	s.pool = pool
	return s
}

// slots returns the number of items that have a slot.
func (s *lenders) slots() (n int) {
	for _, x := range s.running {
		if x.slot {
			n++
		}
	}
	return n
}

// settle gives free slots to items, in order.
func (s *lenders) settle() {
	for s.slots() < s.max {
		switch {
		case len(s.returning) > 0:
			x := s.returning[0]
			s.returning = s.returning[1:]
			x.slot, x.blocked = true, [2]bool{}
		case len(s.queue) > 0 && !s.paused:
			x := s.queue[0]
			s.queue = s.queue[1:]
			x.slot = true
			s.running = append(s.running, x)
		default:
			return
		}
	}
}

func (s *lenders) submit(t *rapid.T) {
	x := &lender{id: s.submitted}
	for g := range x.orders {
		x.orders[g] = make(chan func(int32) bool)
	}
	s.submitted++
	if err := s.pool.Submit(context.Background(), x); err != nil {
		t.Fatalf("submit: %v", err)
	}
	s.queue = append(s.queue, x)
	s.settle()
}

// pick draws an item and one of its goroutines.
func (s *lenders) pick(t *rapid.T, fits func(x *lender, g int) bool) (x *lender, g int) {
	type choice struct {
		x *lender
		g int
	}
	var choices []choice
	for _, x := range s.running {
		for g := range x.orders {
			if fits(x, g) {
				choices = append(choices, choice{x, g})
			}
		}
	}
	if len(choices) == 0 {
		t.Skip("nobody to pick")
	}
	c := choices[rapid.IntRange(0, len(choices)-1).Draw(t, "who")]
	return c.x, c.g
}

func (s *lenders) lend(t *rapid.T) {
	x, g := s.pick(t, func(x *lender, g int) bool { return x.free(g) && !x.waiting[g] })
	x.orders[g] <- func(worker int32) bool {
		x.resumes[g] = s.pool.Lend(worker, func(y *lender) bool { return y == x })
		return false
	}
	x.waiting[g] = true
	x.waits++
	x.slot = false
	if i := slices.Index(s.returning, x); i >= 0 { // it no longer asks for a slot
		s.returning = slices.Delete(s.returning, i, i+1)
		x.blocked = [2]bool{}
	}
	s.settle()
}

func (s *lenders) resume(t *rapid.T) {
	x, g := s.pick(t, func(x *lender, g int) bool { return x.free(g) && x.waiting[g] })
	x.hurry[g] = make(chan struct{})
	inHurry := rapid.Bool().Draw(t, "in a hurry")
	if inHurry {
		close(x.hurry[g])
	}
	x.orders[g] <- func(int32) bool {
		x.resumes[g](x.hurry[g])
		return false
	}
	x.waiting[g] = false
	x.waits--
	switch {
	case x.waits > 0:
	case inHurry:
		x.slot = true
	default:
		x.blocked[g] = true
		s.returning = append(s.returning, x)
	}
	s.settle()
}

// hurry makes an item that waits for a slot continue without one.
func (s *lenders) hurry(t *rapid.T) {
	x, g := s.pick(t, func(x *lender, g int) bool { return x.blocked[g] })
	close(x.hurry[g])
	s.returning = slices.DeleteFunc(s.returning, func(y *lender) bool { return x == y })
	x.slot, x.blocked = true, [2]bool{}
	s.settle()
}

func (s *lenders) finish(t *rapid.T) {
	x, _ := s.pick(t, func(x *lender, g int) bool { return g == 0 && x.free(0) })
	x.orders[0] <- func(int32) bool { return true }
	x.slot = false
	s.running = slices.DeleteFunc(s.running, func(y *lender) bool { return x == y })
	s.returning = slices.DeleteFunc(s.returning, func(y *lender) bool { return x == y })
	s.over = append(s.over, x)
	s.settle()
}

func (s *lenders) resize(t *rapid.T) {
	s.min = rapid.IntRange(0, 2).Draw(t, "min")
	s.max = rapid.IntRange(max(1, s.min), 3).Draw(t, "max")
	if err := s.pool.Resize(s.min, s.max); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

func (s *lenders) pause(*rapid.T) {
	s.paused = !s.paused
	if s.paused {
		s.pool.Pause()
	} else {
		s.pool.Resume()
	}
	s.settle()
}

// counts is the observable state of the pool.
type lenderCounts struct{ Busy, Lent, Queued int }

func (s *lenders) check(t *rapid.T) {
	synctest.Wait()
	snapshot := s.pool.Snapshot()
	got := lenderCounts{snapshot.Busy, snapshot.Lent, snapshot.Queued}
	want := lenderCounts{s.slots(), len(s.running) - s.slots(), len(s.queue)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("counts (-want +got):\n%s", diff)
	}
	if snapshot.Workers < s.min || snapshot.Workers > max(s.max, s.slots()) {
		t.Fatalf("%d workers for %d items with slots, want %d to %d", snapshot.Workers, s.slots(), s.min, s.max)
	}
	lent := map[int]bool{}
	for _, w := range s.pool.Workers() {
		if w.Busy {
			lent[w.Item.id] = w.Lent
		}
	}
	wantLent := map[int]bool{}
	for _, x := range s.running {
		wantLent[x.id] = !x.slot
	}
	if diff := cmp.Diff(wantLent, lent); diff != "" {
		t.Fatalf("items under way, and whether they have lent their slots (-want +got):\n%s", diff)
	}
}

// stop ends all items, and the second goroutines of items that have ended.
func (s *lenders) stop(t *rapid.T) {
	if s.paused {
		s.pause(t)
	}
	for len(s.running) > 0 {
		synctest.Wait()
		for _, x := range slices.Clone(s.running) {
			if !x.free(0) || !slices.Contains(s.running, x) {
				continue
			}
			x.orders[0] <- func(int32) bool { return true }
			x.slot = false
			s.running = slices.DeleteFunc(s.running, func(y *lender) bool { return x == y })
			s.returning = slices.DeleteFunc(s.returning, func(y *lender) bool { return x == y })
			s.over = append(s.over, x)
			s.settle()
			break
		}
	}
	synctest.Wait()
	if err := s.pool.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, x := range s.over {
		if x.waiting[1] { // a resume after the end of its item must not wait for a slot
			x.orders[1] <- func(int32) bool {
				x.resumes[1](nil)
				return false
			}
		}
		close(x.orders[1])
	}
	if got := s.pool.Snapshot(); got.Workers+got.Lent+got.Busy != 0 || got.Submitted != got.Completed {
		t.Fatalf("after the stop: %+v", got)
	}
}
