package taskmanager_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// describe checks what the manager says of itself.
func (x *life) describe() {
	about := x.m.Describe()
	x.s.count("state: " + string(about.State))
	switch about.State {
	case observe.StateRunning, observe.StatePaused:
	case observe.StateDraining:
		if !x.stopping.Load() {
			x.fail("the manager drains, and nobody has ended it")
		}
	case observe.StateStopped:
		if !isClosed(x.m.Done()) {
			x.fail("the manager has stopped, and is not done")
		}
	default:
		x.fail("the manager is %q", about.State)
	}
	if about.Name != x.name || about.Discipline == "" || about.Scaler == "" || (about.Limit >= 0) != x.bounded || (about.Overflow != "") != x.bounded {
		x.fail("the manager describes itself as %+v", about)
	}
}

// checkRings checks how many records the history has of each kind, and their outcomes. It returns
// the records.
func (x *life) checkRings() []taskmanager.Record {
	done := isClosed(x.m.Done())
	records := x.m.History()
	var good, cancelled int
	for i, r := range records {
		if r.Outcome == observe.Success || r.Outcome == observe.HandedOver {
			good++
		}
		if r.Outcome == observe.Cancelled || r.Outcome == observe.Stopped {
			cancelled++
		}
		if (r.Outcome == observe.Success) != (r.LastError == nil) {
			x.fail("the history has a %q with the error %v", r.Outcome, r.LastError)
		}
		if i > 0 && records[i-1].EndedAt.Sub(r.EndedAt) > soakHang {
			x.fail("the history is not in order")
		}
	}
	counts := x.m.Counts()
	failed := int(counts.Failed + counts.TimedOut + counts.Dropped + counts.Shed)
	if bad := len(records) - good - cancelled; max(good, cancelled, bad) > x.history ||
		done && (bad != min(failed, x.history) || cancelled != min(int(counts.Cancelled+counts.Stopped), x.history)) {
		x.fail("the history has %d tasks that succeeded, %d that were cancelled and %d that failed, of %+v, with a size of %d", good, cancelled, bad, counts, x.history)
	}
	return records
}

// pauseWait waits until no task runs. Other drivers may resume the manager at any time.
func (d *driver) pauseWait() {
	ctx, cancel := d.brief()
	defer cancel()
	err := d.m.PauseWait(ctx)
	switch {
	case err == nil:
		d.s.count("PauseWait: quiet")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, taskmanager.ErrStopped):
	case strings.Contains(err.Error(), "resumed"):
		d.s.count("PauseWait: resumed")
	default:
		d.fail("PauseWait: %v", err)
	}
	d.m.Resume()
}

// times measures times, half of the time.
func (x *life) times(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	return taskmanager.WithPoolTimes(), "times"
}

// observe adds, half of the time, an observer that checks that each event leads to its task.
func (x *life) observe(random *rand.Rand) (taskmanager.Option, string) {
	if random.IntN(2) == 0 {
		return nil, ""
	}
	x.watcher = &soakObserver{x: x}
	return taskmanager.WithObserver(x.watcher), "observed"
}

// soakObserver checks what each event leads to.
type soakObserver struct {
	x         *life
	decisions sync.Map // from the number of a decision to the decision
}

func (o *soakObserver) see(ctx context.Context, name string) context.Context {
	if h, ok := taskmanager.FromContext(ctx); !ok || h.Name() != name {
		o.x.fail("an event of %q leads to %v", name, h)
	}
	return ctx
}

func (o *soakObserver) BeginSubmit(_, onto context.Context, s observe.Submission) context.Context {
	return o.see(onto, s.Name)
}

func (o *soakObserver) EndSubmit(ctx context.Context, s observe.Submission, _ error) {
	o.see(ctx, s.Name)
}

func (o *soakObserver) BeginRun(ctx context.Context, r observe.Run) context.Context {
	return context.WithValue(o.see(ctx, r.Name), key("soak"), r.Attempt)
}

func (o *soakObserver) EndRun(ctx context.Context, r observe.Run, _ observe.Result) {
	if n := o.see(ctx, r.Name).Value(key("soak")); n != r.Attempt {
		o.x.fail("the end of execution %d of %q has the values of execution %v", r.Attempt, r.Name, n)
	}
}

func (o *soakObserver) TaskEnded(ctx context.Context, e observe.End) {
	if h, ok := taskmanager.FromContext(o.see(ctx, e.Name)); ok && isClosed(h.Done()) {
		o.x.fail("observers learn too late of the end of %q", e.Name)
	}
}
