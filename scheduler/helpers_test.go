package scheduler_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// tester is the common part of *testing.T and *rapid.T that the helpers need.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// ending is the way in which a job ends.
type ending int

const (
	returns ending = iota
	panics
	exits    // by runtime.Goexit
	requeues // requeues itself and returns
)

// job is an item that runs until the test ends it.
type job struct {
	id     int
	gone   atomic.Bool // withdrawn
	queued time.Time   // time at which the model queued it
	waits  *submission // of the model: its submitter waits for room; nil otherwise
	quit   bool        // of the model: its submitter waited for room and has given up
	end    chan ending
}

// String formats a job in the log of a failed property.
func (j *job) String() string { return fmt.Sprintf("#%d", j.id) }

func newJob(id int) *job { return &job{id: id, end: make(chan ending, 1)} }

func newJobs(n int) []*job {
	jobs := make([]*job, n)
	for i := range jobs {
		jobs[i] = newJob(i + 1)
	}
	return jobs
}

// level ranks a job under Priority.
func (j *job) level() int { return j.id % 3 }

func ids(jobs []*job) []int {
	out := []int{}
	for _, j := range jobs {
		out = append(out, j.id)
	}
	return out
}

// drop is one call of Config.Dropped.
type drop struct {
	ID     int
	Reason error
}

// rig is a pool of jobs that records what happens to them.
type rig struct {
	pool  *scheduler.Pool[*job]
	abort chan struct{} // closed to end every job at once

	mu      sync.Mutex
	runs    []int // ids in the order of their starts
	now     map[int]int32
	twice   []int // ids that started while they were running
	crashes []error
	drops   []drop
	requeue []error // results of Requeue
}

// newRig starts a pool of jobs. The test must stop the pool or call close.
func newRig(t tester, cfg scheduler.Config[*job]) *rig {
	t.Helper()
	r := &rig{abort: make(chan struct{}), now: map[int]int32{}}
	if cfg.Hooks.Withdrawn == nil {
		cfg.Hooks.Withdrawn = func(j *job) bool { return j.gone.Load() }
	}
	if cfg.Dropped == nil {
		cfg.Dropped = r.dropped
	}
	if cfg.Crashed == nil {
		cfg.Crashed = func(_ int32, _ *job, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.crashes = append(r.crashes, err)
		}
	}
	p, err := scheduler.NewPool(cfg, r.run)
	if err != nil {
		t.Fatalf("NewPool: %v", err)
	}
	r.pool = p
	return r
}

func (r *rig) dropped(j *job, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drops = append(r.drops, drop{j.id, reason})
}

func (r *rig) run(worker int32, j *job) {
	r.began(worker, j)
	how := returns
	select {
	case how = <-j.end:
	case <-r.abort:
	}
	r.ended(j) // before a requeued job can start again
	switch how {
	case panics:
		panic(j.id)
	case exits:
		runtime.Goexit()
	case requeues:
		err := r.pool.Requeue(j, worker)
		r.mu.Lock()
		r.requeue = append(r.requeue, err)
		r.mu.Unlock()
	case returns:
	}
}

func (r *rig) began(worker int32, j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs = append(r.runs, j.id)
	if _, ok := r.now[j.id]; ok {
		r.twice = append(r.twice, j.id)
	}
	r.now[j.id] = worker
}

func (r *rig) ended(j *job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.now, j.id)
}

// running returns the ids of the running jobs, sorted.
func (r *rig) running() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []int{}
	for id := range r.now {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// ran returns the ids of the jobs that have started, in the order of their starts.
func (r *rig) ran() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int{}, r.runs...)
}

// dropsByID returns the calls of Dropped, sorted by id.
func (r *rig) dropsByID() []drop {
	r.mu.Lock()
	defer r.mu.Unlock()
	return byID(r.drops)
}

func byID(drops []drop) []drop {
	out := append([]drop{}, drops...)
	slices.SortFunc(out, func(a, b drop) int { return a.ID - b.ID })
	return out
}

func (r *rig) crashed() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.crashes)
}

// close ends the running jobs and stops the pool.
func (r *rig) close(t tester) {
	t.Helper()
	close(r.abort)
	mustStop(t, r.pool)
}

// patience is the timeout for events that must happen. In a bubble it takes no real time;
// outside, only a failing test reaches it.
const patience = 10 * time.Second

// soon returns a context that ends after patience.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func mustStop[T any](t tester, p *scheduler.Pool[T]) {
	t.Helper()
	ctx, cancel := soon()
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func mustDrain[T any](t tester, p *scheduler.Pool[T]) {
	t.Helper()
	ctx, cancel := soon()
	defer cancel()
	if err := p.Drain(ctx); err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func mustSubmit[T any](t tester, p *scheduler.Pool[T], items ...T) {
	t.Helper()
	for i, item := range items {
		if err := p.TrySubmit(item); err != nil {
			t.Fatalf("TrySubmit of item %d of %d: %v", i+1, len(items), err)
		}
	}
}

// counts returns a snapshot without the fields that depend on time.
func counts(s scale.Snapshot) scale.Snapshot {
	s.Now = time.Time{}
	s.OldestWait = 0
	s.BusyTime, s.QueuedTime, s.WorkerTime, s.ServiceTime, s.WaitTime = 0, 0, 0, 0, 0
	return s
}

// quiet discards the output of slog until the test ends.
func quiet(t *testing.T) {
	t.Helper()
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
}

// lifo is a LIFO queue without optional capabilities.
type lifo[T any] struct{ items []T }

func newLIFO[T any]() queue.Queue[T] { return new(lifo[T]) }

func (q *lifo[T]) Push(item T) { q.items = append(q.items, item) }
func (q *lifo[T]) Len() int    { return len(q.items) }

func (q *lifo[T]) Pop() (item T, ok bool) {
	if len(q.items) == 0 {
		return item, false
	}
	last := len(q.items) - 1
	item = q.items[last]
	q.items = q.items[:last]
	return item, true
}
