package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/internal/hooks"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/internal/bubble"
)

// ErrStalled is the error of a replay in which jobs wait and nothing happens any more, for instance
// because the scaler asks for no workers.
var ErrStalled = errors.New("simulate: jobs wait, but no job has run for 10 days of virtual time; check the scaler, the minimum of workers and the limits")

const (
	// longest bounds the times of a workload. The clock of a bubble ends after 262 years.
	longest = 100 * 365 * 24 * time.Hour

	lookInterval = 24 * time.Hour      // of virtual time, between two looks at ctx, and for a replay that has stalled
	patience     = 10 * 24 * time.Hour // for which nothing may happen
)

// Run replays a workload in virtual time on a manager of its own, and reports what happened. It
// returns when all jobs have ended. Several replays may run at the same time.
//
// When ctx ends, Run stops at once, and the report is partial. An error of the workload ends the replay
// too: Run returns it with the report so far. Otherwise an error means that an option is invalid, that
// start failed, or that the replay has stalled; see [ErrStalled].
//
// The workload is read, and start is called, in a bubble of [testing/synctest]. They must not wait for
// goroutines outside. Run is for ordinary programs, and adds the flags of package testing to those of
// the program; tests use [Test].
func Run(ctx context.Context, w Workload, start Start, opts ...Option) (Report, error) {
	cfg, err := newConfig(opts)
	if err = errors.Join(err, cfg.fault()); err != nil {
		return Report{}, err
	}
	var report Report
	do := func() { report, err = run(ctx, w, start, cfg) }
	if cfg.realTime {
		do()
	} else {
		bubble.Run(do)
	}
	return report, err
}

// Test is [Run] in a test, which fails if there is an error.
func Test(t *testing.T, w Workload, start Start, opts ...Option) Report {
	t.Helper()
	cfg, err := newConfig(opts)
	if err = errors.Join(err, cfg.fault()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	var report Report
	do := func() { report, err = run(ctx, w, start, cfg) }
	if cfg.realTime {
		do()
	} else {
		synctest.Test(t, func(*testing.T) { do() })
	}
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// replay is a workload on a manager.
type replay struct {
	config
	ctx       context.Context // outside the bubble: it must only be asked
	manager   *taskmanager.TaskManager
	calendar  *calendar
	processor *processor // nil: each execution has a core of its own
	record    *record

	submits sync.WaitGroup // those that wait for room, or run their tasks
	plain   atomic.Pointer[reflect.Type]

	over    chan struct{} // closed to end the replay early
	endOnce sync.Once
	failure error // why, if there was an error; written before over is closed
}

// run replays a workload. Unless in real time, it is in a bubble.
func run(ctx context.Context, w Workload, start Start, cfg config) (Report, error) {
	r := &replay{config: cfg, ctx: ctx, over: make(chan struct{})}
	r.calendar = newCalendar(cfg.realTime)
	if cfg.cores > 0 {
		r.processor = newProcessor(cfg.cores, r.calendar)
	}
	r.record = newRecord(r)
	m, err := start(r.options()...)
	if err == nil && m == nil {
		err = errors.New("simulate: start returned no manager")
	}
	if err != nil {
		return Report{}, err
	}
	r.manager = m
	var report Report
	if err := r.record.begin(m); err != nil {
		r.end(err)
	} else {
		if !cfg.realTime {
			synctest.Wait() // the first job finds the first workers ready
		}
		r.feed(w)
		r.finish()
		report = r.record.report(r.ended())
	}
	err = m.Stop(context.Background())
	r.submits.Wait()
	r.end(err)
	return report, r.failure
}

// options returns the options that start gets.
func (r *replay) options() []taskmanager.Option {
	opts := []taskmanager.Option{
		taskmanager.WithObserver(r.record),
		taskmanager.WithRand(rand.NewPCG(r.seed, 1)),
		taskmanager.WithPoolTimes(),
		taskmanager.WithoutTelemetry(),
	}
	if !r.realTime {
		opts = append(opts, hooks.Simulated(r.calendar.newTimer, r.calendar.settle).(taskmanager.Option))
	}
	return opts
}

// feed submits each job when it arrives.
func (r *replay) feed(w Workload) {
	number, last := 0, time.Duration(0)
	for j, err := range w {
		if err == nil {
			err = fault(&j, number, last)
		}
		if err != nil {
			if !r.look() { // otherwise the end of ctx may be why
				r.end(err)
			}
			return
		}
		last = j.At
		now, ok := r.calendar.waitUntil(r.ctx, j.At)
		if r.look() || !ok { // look first: this job is missing in the report
			return
		}
		r.submit(number, j, now)
		number++
	}
}

// submit submits a job. A submit that would wait, or run the job itself, does so beside the following
// arrivals.
func (r *replay) submit(number int, j Job, now time.Duration) {
	t, value := r.newTask(number, j)
	r.record.arrives(t, now)
	_, err := r.manager.TrySubmit(context.Background(), value)
	switch {
	case err == nil:
	case errors.Is(err, taskmanager.ErrQueueFull):
		r.submits.Go(func() {
			if _, err := r.manager.Submit(context.Background(), value); err != nil {
				r.refused(t, err)
			}
		})
	default:
		r.refused(t, err)
	}
}

// refused handles a submit that has failed.
func (r *replay) refused(t *task, err error) {
	switch {
	case errors.Is(err, taskmanager.ErrQueueFull):
		r.record.ends(t, observe.Dropped, r.calendar.now())
	case errors.Is(err, taskmanager.ErrStopped) && r.ended():
	default:
		r.end(fmt.Errorf("simulate: job %d: %w", t.number+1, err))
	}
}

// workFor does the work of an execution that began at a time, and returns when it ended. In virtual time
// no work takes no time: if an execution ended when it began, several could begin and end at one instant,
// in the order in which their goroutines happen to run.
func (r *replay) workFor(ctx context.Context, t *task, began time.Duration) (time.Duration, error) {
	service := max(t.job.Service, 1)
	switch {
	case r.realTime && r.work != nil:
		err := r.work(ctx, t.job.Service)
		return r.calendar.now(), err
	case r.realTime:
		err := wait(ctx, t.job.Service)
		return r.calendar.now(), err
	case began > longest+longest/2:
		r.end(fmt.Errorf("simulate: job %d starts after %v; the workload is too long for its workers", t.number+1, began))
		return began, r.failure
	case r.processor != nil:
		return r.processor.workFor(t.number, service), nil
	case !r.isPlain(ctx):
		err := r.calendar.workUnless(ctx, t.number, began, service)
		return r.calendar.now(), err
	}
	return r.calendar.workFor(t.number, began, service), nil
}

// isPlain reports whether ctx is the manager's own. Then it ends only when the manager does, and an
// execution need not wait for that. The context that a middleware has made may end earlier. To wait
// for a context takes a sixth of the time of a job.
func (r *replay) isPlain(ctx context.Context) bool {
	kind := reflect.TypeOf(ctx)
	if known := r.plain.Load(); known != nil && *known == kind {
		return true
	}
	of := kind
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.PkgPath() != reflect.TypeFor[taskmanager.TaskManager]().PkgPath() {
		return false
	}
	r.plain.Store(&kind)
	return true
}

// look ends the replay if ctx has ended, and reports whether it has been ended.
func (r *replay) look() bool {
	if r.ctx.Err() != nil {
		r.end(nil)
	}
	return r.ended()
}

// end ends the replay early, because of err unless that is nil.
func (r *replay) end(err error) {
	r.endOnce.Do(func() {
		r.failure = err
		close(r.over)
	})
}

// ended reports whether the replay has been ended early.
func (r *replay) ended() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// finish waits for the end of all jobs, or of the replay.
func (r *replay) finish() {
	done := r.record.whenIdle()
	if r.realTime {
		defer context.AfterFunc(r.ctx, func() { r.end(nil) })()
		select {
		case <-done:
		case <-r.over:
		}
		return
	}
	watch := time.NewTicker(lookInterval)
	defer watch.Stop()
	for {
		select {
		case <-done:
			return
		case <-r.over:
			return
		case <-watch.C:
			if !r.look() && r.record.idleFor(r.calendar.now()) > patience {
				r.end(ErrStalled)
			}
		}
	}
}
