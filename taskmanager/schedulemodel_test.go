package taskmanager_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// plan is a schedule, and what its user does.
type plan struct {
	interval, jitter, until time.Duration // no jitter, no end: 0
	runs                    int           // no limit: 0
	atStart                 bool
	overlap                 taskmanager.Overlap
	lengths                 []time.Duration // of the runs, in order; all further ones take the last of these times
	actions                 []action        // ordered by time
	seed                    uint64
	fixed                   bool // Every
}

// action is a call by the user.
type action struct {
	at   time.Duration
	call string // Pause, Resume or RunNow
}

// drawPlan draws a plan. Times of the timetable are whole milliseconds, and each run ends a microsecond
// later. Each call has its own number of nanoseconds. So no two events happen at the same moment.
func drawPlan(t *rapid.T) plan {
	p := plan{
		interval: time.Duration(rapid.IntRange(1, 5).Draw(t, "interval")) * time.Millisecond,
		atStart:  rapid.Bool().Draw(t, "at start"),
		overlap:  rapid.SampledFrom(overlaps).Draw(t, "overlap"),
		seed:     rapid.Uint64().Draw(t, "seed"),
		fixed:    rapid.Bool().Draw(t, "Every"),
		runs:     rapid.SampledFrom([]int{0, 0, 1, 3, 10}).Draw(t, "runs"),
	}
	if rapid.Bool().Draw(t, "with jitter") {
		p.jitter = time.Duration(rapid.Int64Range(1, int64(p.interval)).Draw(t, "jitter"))
	}
	if rapid.Bool().Draw(t, "with an end") {
		p.until = time.Duration(rapid.Int64Range(1, int64(60*time.Millisecond)).Draw(t, "until"))
	}
	for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 12), 1, 20).Draw(t, "lengths") {
		p.lengths = append(p.lengths, time.Duration(ms)*time.Millisecond+time.Microsecond)
	}
	calls := rapid.SampledFrom([]string{"Pause", "Resume", "RunNow"})
	for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 12).Draw(t, "times of calls") {
		p.actions = append(p.actions, action{time.Duration(ms) * time.Millisecond, calls.Draw(t, "call")})
	}
	slices.SortStableFunc(p.actions, func(a, b action) int { return cmp.Compare(a.at, b.at) })
	for i := range p.actions {
		p.actions[i].at += 500*time.Microsecond + time.Duration(i+1)*10*time.Nanosecond
	}
	return p
}

// outcomeOf is what a plan leads to.
type outcomeOf struct {
	Starts  []time.Duration
	Skipped int
	Refused int  // calls of RunNow
	Live    bool // the schedule has not ended
}

// expect returns what a plan leads to until the given time.
func (p plan) expect(horizon time.Duration) outcomeOf {
	x := &expectation{plan: p, left: p.runs}
	if p.runs == 0 {
		x.left = 1 << 30
	}
	random := rand.New(rand.NewPCG(p.seed, 1))
	at := time.Duration(0)
	if !p.atStart {
		at = p.interval
	}
	actions := p.actions
	for {
		due := horizon + 1 // none
		if (p.until == 0 || at <= p.until) && !x.spent() {
			due = at
			if bound := p.jitter; bound > 0 {
				if p.until > 0 {
					bound = min(bound, p.until-at+1)
				}
				due += time.Duration(random.Int64N(int64(bound)))
			}
		} else {
			x.noMore = true
		}
		for len(actions) > 0 && actions[0].at < min(due, horizon) {
			x.elapse(actions[0].at)
			x.act(actions[0])
			actions = actions[1:]
		}
		if due > horizon {
			x.elapse(horizon)
			break
		}
		x.elapse(due)
		x.due(due)
		at += p.interval
	}
	x.out.Live = !x.over()
	if x.out.Starts == nil {
		x.out.Starts = []time.Duration{}
	}
	return x.out
}

// expectation is the model of a schedule at a moment.
type expectation struct {
	plan

	out    outcomeOf
	begun  int
	busy   bool
	free   time.Duration // when the outstanding run ends
	missed int
	left   int
	paused bool
	noMore bool
}

// spent reports whether all runs have started.
func (x *expectation) spent() bool { return x.left == 0 }

// over reports whether the schedule has ended.
func (x *expectation) over() bool {
	return (x.noMore || x.spent()) && !x.busy && (x.missed == 0 || !x.paused)
}

// start starts a run.
func (x *expectation) start(at time.Duration) {
	x.out.Starts = append(x.out.Starts, at)
	x.busy, x.free = true, at+x.lengths[min(x.begun, len(x.lengths)-1)]
	x.begun++
}

// next starts a run that waits, if there is one.
func (x *expectation) next(at time.Duration) {
	if x.missed > 0 && !x.paused && !x.busy {
		x.missed--
		x.left--
		x.start(at)
	}
}

// elapse ends the runs that end before a moment.
func (x *expectation) elapse(until time.Duration) {
	for x.busy && x.free < until {
		x.busy = false
		x.next(x.free)
	}
}

// due handles a run that is due.
func (x *expectation) due(at time.Duration) {
	switch {
	case x.spent():
	case x.paused:
		x.out.Skipped++
	case !x.busy:
		x.left--
		x.start(at)
	case x.overlap == taskmanager.OverlapQueue && x.missed < x.left,
		x.overlap == taskmanager.OverlapCoalesce && x.missed == 0:
		x.missed++
	default:
		x.out.Skipped++
	}
}

// act does what a call of the user does.
func (x *expectation) act(a action) {
	switch over := x.over(); {
	case a.call == "RunNow" && (over || x.busy):
		x.out.Refused++
	case a.call == "RunNow":
		x.start(a.at)
	case a.call == "Pause":
		x.paused = !over
	case a.call == "Resume":
		x.paused = false
		x.next(a.at)
	}
}

// times returns the times of Every as a timetable.
func (p plan) times(start time.Time) timetable {
	return func(after time.Time) time.Time { return start.Add((after.Sub(start)/p.interval + 1) * p.interval) }
}

// do carries a plan out until the given time.
func (p plan) do(t *rapid.T, horizon time.Duration) (out outcomeOf) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2), taskmanager.WithRand(rand.NewPCG(p.seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, m)
	log := newRunLog()
	opts := []taskmanager.TaskOption{taskmanager.WithOverlap(p.overlap), taskmanager.WithJitter(p.jitter)}
	if p.atStart {
		opts = append(opts, taskmanager.WithRunAtStart())
	}
	if p.runs > 0 {
		opts = append(opts, taskmanager.WithRuns(p.runs))
	}
	if p.until > 0 {
		opts = append(opts, taskmanager.WithUntil(log.since.Add(p.until)))
	}
	var s *taskmanager.Schedule
	if p.fixed {
		s, err = m.Every(context.Background(), p.interval, log.lasting("task", p.lengths...), opts...)
	} else {
		s, err = m.Repeat(context.Background(), p.times(log.since), log.lasting("task", p.lengths...), opts...)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range p.actions {
		if a.at >= horizon {
			break
		}
		time.Sleep(a.at - time.Since(log.since))
		synctest.Wait()
		switch a.call {
		case "Pause":
			s.Pause()
		case "Resume":
			s.Resume()
		default:
			if _, err := s.RunNow(); err != nil {
				out.Refused++
			}
		}
	}
	time.Sleep(horizon - time.Since(log.since))
	synctest.Wait()
	out.Starts, out.Skipped, out.Live = log.starts(), s.Skipped(), isLive(m, s)
	last, ran := s.LastRun()
	if ended := len(out.Starts) > 0 && (len(out.Starts) > 1 || !out.Live); ended && (!ran || last.LastError != nil) {
		t.Errorf("after %d starts LastRun returned %+v, %v", len(out.Starts), last, ran)
	}
	return out
}

// TestScheduleEqualsItsModel compares schedules with all options, and with calls of their users, with
// a simple model.
func TestScheduleEqualsItsModel(t *testing.T) {
	check.Property(t, func(t *rapid.T) {
		p := drawPlan(t)
		horizon := time.Duration(rapid.IntRange(1, 100).Draw(t, "horizon"))*time.Millisecond + 900*time.Microsecond
		want := p.expect(horizon)
		rapid.SyncTest(t, func(t *rapid.T) {
			if diff := gocmp.Diff(want, p.do(t, horizon)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	})
}
