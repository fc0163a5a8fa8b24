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

// machine makes the same calls on a pool and on its model, in a bubble.
type machine struct {
	*rig
	model *model
	subs  []*pending
	quiet []*quietCall
	rooms []*roomCall
	ctx   context.Context // of calls that are never cancelled
	next  int             // id of the next job
}

// pending is a call that may block, with its result when it has returned.
type pending struct {
	*submission
	batch  bool
	cancel context.CancelFunc
	done   chan error
}

// shape describes the pools that a property covers.
type shape struct {
	fixed, bounded bool
}

// There are three properties, because the pool works in three ways: without a limit, where a
// pool at its maximum takes items through its inbox; with a fixed size; and with a limit
// and growth, where growth and room depend on each other.

func TestUnboundedPoolEqualsItsModel(t *testing.T) { checkPool(t, shape{}) }
func TestFixedPoolEqualsItsModel(t *testing.T)     { checkPool(t, shape{fixed: true}) }
func TestBoundedPoolEqualsItsModel(t *testing.T)   { checkPool(t, shape{bounded: true}) }

func checkPool(t *testing.T, sh shape) {
	check.Property(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := newMachine(t, sh)
			defer m.abandon()
			t.Repeat(map[string]func(*rapid.T){
				"submit":    m.submit,
				"trySubmit": m.trySubmit,
				"submitAll": m.submitAll,
				"cancel":    m.cancelOne,
				"withdraw":  m.withdraw,
				"finish":    m.finish,
				"finish2":   m.finish, // so that items end as often as they arrive
				"pause":     m.pause,
				"resume":    m.resume,
				"waitIdle":  m.waitIdle,
				"pauseWait": m.pauseWait,
				"resize":    func(t *rapid.T) { m.resize(t, sh) },
				"time":      m.pass,
				"waitRoom":  m.waitRoom,
				"":          m.check,
			})
			if rapid.Bool().Draw(t, "drain") {
				m.drain(t)
			} else {
				m.stop(t)
			}
		})
	})
}

func newMachine(t *rapid.T, sh shape) *machine {
	minimum := rapid.IntRange(0, 3).Draw(t, "min")
	maximum := max(1, minimum) + rapid.IntRange(0, 3).Draw(t, "more")
	if sh.fixed {
		minimum = maximum
	}
	mo := newModel(minimum, maximum, time.Now())
	mo.timeout = time.Second
	cfg := scheduler.Config[*job]{Min: minimum, Max: maximum, IdleTimeout: mo.timeout}
	if sh.bounded || sh.fixed && rapid.Bool().Draw(t, "bounded") {
		mo.limit = rapid.SampledFrom([]int{scheduler.HandOver, 1, 3}).Draw(t, "limit")
		mo.overflow = rapid.SampledFrom([]scheduler.Overflow{
			scheduler.Block, scheduler.Block, scheduler.Block, scheduler.Reject,
			scheduler.DropNewest, scheduler.DropOldest, scheduler.DropWorst, scheduler.CallerRuns,
		}).Draw(t, "overflow")
		mo.order = rapid.SampledFrom(ordersUnder(mo.overflow)).Draw(t, "order")
		if mo.metered = mo.order == fifo && rapid.Bool().Draw(t, "metered"); mo.metered {
			cfg.Scaler = scalerFunc(scale.Demand(1).Scale) // without NeedsTime, so the pool has a meter
		}
	} else {
		mo.backlog = rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(t, "backlog")
		cfg.Scaler = scale.Demand(mo.backlog)
		mo.order = rapid.SampledFrom([]order{fifo, lifoed}).Draw(t, "order")
	}
	cfg.Queue = map[order]queue.Factory[*job]{lifoed: newLIFO[*job], byLevel: queue.Priority((*job).level, 0)}[mo.order]
	cfg.Limit, cfg.Overflow = mo.limit, mo.overflow
	m := &machine{rig: newRig(t, cfg), model: mo, ctx: context.Background()}
	return m
}

// ordersUnder returns the orders that the machine can predict under an overflow policy. Under
// CallerRuns, submitters push items while workers take others.
func ordersUnder(o scheduler.Overflow) []order {
	switch o {
	case scheduler.Block:
		return []order{fifo, lifoed, byLevel}
	case scheduler.CallerRuns:
		return []order{fifo}
	default:
		return []order{fifo, byLevel}
	}
}

// abandon ends everything. A property that fails half-way would otherwise leave goroutines
// in its bubble, which would hide the failure.
func (m *machine) abandon() {
	close(m.abort)
	for _, s := range m.subs {
		s.cancel()
	}
	for _, c := range m.rooms {
		c.cancel()
	}
	m.pool.Resume()
	ctx, cancel := soon()
	defer cancel()
	_ = m.pool.Stop(ctx) // the property checks the end itself
	synctest.Wait()
}

func (m *machine) fresh(n int) []*job {
	jobs := make([]*job, n)
	for i := range jobs {
		m.next++
		jobs[i] = newJob(m.next)
	}
	return jobs
}

// begin starts a call that may block, waits until the pool settles, and updates the model.
func (m *machine) begin(jobs []*job, batch bool, call func(context.Context) error) {
	ctx, cancel := context.WithCancel(m.ctx)
	s := &pending{
		submission: &submission{left: jobs, total: len(jobs)},
		batch:      batch, cancel: cancel, done: make(chan error, 1),
	}
	m.subs = append(m.subs, s)
	go func() { s.done <- call(ctx) }()
	synctest.Wait()
	m.model.submit(s.submission, false)
}

func (m *machine) submit(*rapid.T) {
	j := m.fresh(1)
	m.begin(j, false, func(ctx context.Context) error { return m.pool.Submit(ctx, j[0]) })
}

func (m *machine) submitAll(t *rapid.T) {
	mo := m.model
	ordered := mo.overflow == scheduler.DropOldest || mo.limit != 0 && mo.order != fifo
	if ordered && !mo.paused && (len(mo.idle) > 0 || mo.workers() < mo.max) {
		t.Skip("which item is the oldest or the first depends on how many the workers have taken meanwhile")
	}
	jobs := m.fresh(rapid.IntRange(0, 7).Draw(t, "items"))
	m.begin(jobs, true, func(ctx context.Context) error { return m.pool.SubmitAll(ctx, jobs) })
}

func (m *machine) trySubmit(t *rapid.T) {
	j := m.fresh(1)
	got := m.pool.TrySubmit(j[0])
	synctest.Wait()
	s := &submission{left: j, total: 1}
	m.model.submit(s, true)
	if !errors.Is(got, s.err) {
		t.Fatalf("TrySubmit of #%d returned %v, want %v", j[0].id, got, s.err)
	}
}

func (m *machine) cancelOne(t *rapid.T) {
	if len(m.model.waiting) == 0 {
		t.Skip("nobody waits")
	}
	s := rapid.SampledFrom(m.model.waiting).Draw(t, "waiter")
	for _, p := range m.subs {
		if p.submission == s {
			p.cancel()
		}
	}
	synctest.Wait()
	m.model.cancel(s, context.Canceled)
}

func (m *machine) withdraw(t *rapid.T) {
	held := slices.DeleteFunc(slices.Clone(m.model.queue), func(j *job) bool { return j.out() || j.waits != nil })
	if len(held) == 0 {
		t.Skip("nothing is queued")
	}
	j := rapid.SampledFrom(held).Draw(t, "item")
	j.gone.Store(true)
	m.pool.Withdraw()
	synctest.Wait()
	m.model.withdraw(j)
}

func (m *machine) finish(t *rapid.T) {
	if len(m.model.running()) == 0 {
		t.Skip("nothing runs")
	}
	j := rapid.SampledFrom(m.model.running()).Draw(t, "item")
	how := rapid.SampledFrom([]ending{returns, returns, returns, panics, exits, requeues}).Draw(t, "how")
	j.end <- how
	synctest.Wait()
	m.model.finish(j, how)
}

func (m *machine) pause(*rapid.T) {
	m.pool.Pause()
	synctest.Wait()
	m.model.paused = true
}

func (m *machine) resume(*rapid.T) {
	m.pool.Resume()
	synctest.Wait()
	m.model.paused = false
	m.endPause(errAny)
	m.model.settle(true)
}

func (m *machine) resize(t *rapid.T, sh shape) {
	minimum := rapid.IntRange(0, 4).Draw(t, "min")
	maximum := max(1, minimum) + rapid.IntRange(0, 3).Draw(t, "more")
	if sh.fixed {
		minimum = maximum
	}
	if err := m.pool.Resize(minimum, maximum); err != nil {
		t.Fatalf("Resize(%d, %d): %v", minimum, maximum, err)
	}
	synctest.Wait()
	m.model.resize(minimum, maximum)
}

func (m *machine) pass(t *rapid.T) {
	mo := m.model
	if mo.paused && (len(mo.waiting) > 0 || mo.target(mo.queued()+mo.blocked()) > mo.workers()) {
		t.Skip("what the scaler says of a paused pool is up to TestPausedPoolDoesNotGrow")
	}
	d := rapid.SampledFrom([]time.Duration{1, 300 * time.Millisecond, time.Second, 5 * time.Second}).Draw(t, "time")
	time.Sleep(d)
	synctest.Wait()
	m.model.pass(d)
}

// check compares all observable state of the pool with the model.
func (m *machine) check(t *rapid.T) {
	m.checkCounts(t)
	check.Equal(t, "running items", m.running(), ids(m.model.running()))
	check.Equal(t, "dropped items", m.dropsByID(), byID(m.model.drops))
	m.checkWorkers(t)
	m.checkSubmissions(t)
	m.checkQuiet(t)
	m.checkRooms(t)
	if len(m.twice) > 0 {
		t.Errorf("items %v ran twice at once", m.twice)
	}
	for _, err := range m.requeue {
		check.Is(t, "Requeue", err, nil)
	}
}

func (m *machine) checkCounts(t *rapid.T) {
	s := m.pool.Snapshot()
	if m.model.metered {
		if want := m.model.oldestWait(); s.OldestWait != want {
			t.Fatalf("OldestWait is %v, want %v", s.OldestWait, want)
		}
	}
	if diff := cmp.Diff(m.model.snapshot(), counts(s)); diff != "" {
		t.Fatalf("snapshot (-want +got):\n%s", diff)
	}
	sum := s.Completed + s.Failed + s.Withdrawn + s.Shed + s.Dropped + uint64(s.Busy+s.Inline+s.Queued)
	if s.Submitted != sum {
		t.Errorf("%d items were submitted and %d are accounted for", s.Submitted, sum)
	}
}

// checkWorkers compares the list of workers with the recorded runs.
func (m *machine) checkWorkers(t *rapid.T) {
	states := m.pool.Workers()
	seen := map[int32]bool{}
	last, busy := int32(0), 0
	for _, w := range states {
		if w.ID <= last || int(w.ID) > m.model.peak {
			t.Errorf("worker %d comes after %d, with at most %d workers so far", w.ID, last, m.model.peak)
		}
		last = w.ID
		seen[w.ID] = true
		if w.Busy != (w.Item != nil) {
			t.Errorf("worker %d: busy is %v with item %v", w.ID, w.Busy, w.Item)
		}
		if w.Busy {
			busy++
			if on := m.workerOf(w.Item.id); on != w.ID {
				t.Errorf("worker %d is listed with item %d, which runs on %d", w.ID, w.Item.id, on)
			}
		}
	}
	if len(states) != m.model.workers() || busy != len(m.model.busy) {
		t.Errorf("%d workers listed, %d busy; want %d, %d", len(states), busy, m.model.workers(), len(m.model.busy))
	}
}

func (r *rig) workerOf(id int) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now[id]
}

func (m *machine) checkSubmissions(t *rapid.T) {
	for _, s := range m.subs {
		select {
		case err := <-s.done:
			s.done <- err
			if !s.settled {
				t.Fatalf("a submit of %d items returned %v; want it to wait for room", s.total, err)
			}
			m.checkResult(t, s, err)
		default:
			if s.settled {
				t.Fatalf("a submit of %d items waits still; want it to return %v", s.total, s.err)
			}
		}
	}
}

func (m *machine) checkResult(t *rapid.T, s *pending, got error) {
	if !errors.Is(got, s.err) {
		t.Errorf("a submit returned %v, want %v", got, s.err)
	}
	if !s.batch || s.err == nil {
		return
	}
	if be, ok := errors.AsType[*scheduler.BatchError](got); !ok || be.Admitted != s.total-len(s.left) {
		t.Errorf("SubmitAll returned %v; want a *BatchError with %d of %d admitted", got, s.total-len(s.left), s.total)
	}
}

// stop calls Stop on the pool in its current state.
func (m *machine) stop(t *rapid.T) {
	for _, j := range m.model.queue {
		if !j.out() && j.waits == nil {
			m.model.drops = append(m.model.drops, drop{j.id, scheduler.ErrStopped})
		}
	}
	m.model.queue = nil
	m.model.count.Dropped = uint64(len(m.model.drops))
	result := m.ending(m.pool.Stop)
	check.Equal(t, "dropped items, those by Stop included", m.dropsByID(), byID(m.model.drops))
	check.Equal(t, "items that go on while Stop waits", m.running(), ids(m.model.running()))
	m.finishAll()
	m.checkEnd(t, "Stop", result)
}

// drain calls Drain on the pool in its current state.
func (m *machine) drain(t *rapid.T) {
	result := m.ending(m.pool.Drain)
	for range 1000 {
		if len(m.running()) == 0 {
			break
		}
		m.finishAll()
	}
	for _, j := range m.model.queue {
		if !j.out() && j.waits == nil {
			m.model.busy[j.id] = j
			m.model.count.Started++
		}
	}
	m.model.queue = nil
	m.checkEnd(t, "Drain", result)
	check.Equal(t, "dropped items, none of them by Drain", m.dropsByID(), byID(m.model.drops))
}

// ending calls Stop or Drain, which refuse waiting submitters.
func (m *machine) ending(call func(context.Context) error) <-chan error {
	ctx, cancel := soon()
	result := make(chan error, 1)
	go func() { defer cancel(); result <- call(ctx) }()
	synctest.Wait()
	for _, s := range m.model.waiting {
		s.settled, s.err = true, scheduler.ErrStopped
	}
	m.model.waiting = nil
	for _, run := range m.model.inline { // which ends with its item
		run.by.settled = true
		if len(run.by.left) > 0 {
			run.by.err = scheduler.ErrStopped
		}
	}
	return result
}

// finishAll ends the running items.
func (m *machine) finishAll() {
	for _, w := range m.pool.Workers() {
		if w.Busy {
			w.Item.end <- returns
		}
	}
	for _, run := range m.model.inline {
		if len(run.job.end) == 0 {
			run.job.end <- returns
		}
	}
	synctest.Wait()
}

func (m *machine) checkEnd(t *rapid.T, call string, result <-chan error) {
	if err := <-result; err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	m.checkSubmissions(t)
	m.checkQuietEnd(t)
	want := m.model.snapshot()
	want.Completed += uint64(want.Busy + want.Inline)
	want.Workers, want.Busy, want.Idle, want.Inline = 0, 0, 0, 0
	if diff := cmp.Diff(want, counts(m.pool.Snapshot())); diff != "" {
		t.Errorf("snapshot after %s (-want +got):\n%s", call, diff)
	}
	if left := m.pool.Workers(); len(left) > 0 {
		t.Errorf("%d workers are listed after %s", len(left), call)
	}
	m.checkNoRoom(t)
	check.Is(t, "TrySubmit after "+call, m.pool.TrySubmit(newJob(0)), scheduler.ErrStopped)
}
