package taskmanager

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// turn is a time of a timetable. The zero turn means that there is none.
type turn struct {
	at     time.Time     // as the timetable says
	moment time.Time     // of that time on the monotonic clock, unless the wall clock is set
	jitter time.Duration // from that time until the run is due
}

// due returns the moment at which the run is due, unless the wall clock is set.
func (t turn) due() time.Time { return t.moment.Add(t.jitter) }

// after returns the time until the run is due, where left is that until its time of the timetable. For
// a time in the far future it is the largest Duration.
func (t turn) after(left time.Duration) time.Duration {
	if left > math.MaxInt64-t.jitter {
		return math.MaxInt64
	}
	return left + t.jitter
}

// longestSleep limits how long an alarm of a schedule that follows the wall clock sleeps before
// it reads that clock again. Timers use the monotonic clock.
const longestSleep = time.Minute

// clockStep is the smallest change of the wall clock that is a step. A smaller one only moves
// the next run.
const clockStep = time.Second

// ask returns the first time of the timetable after the given one, or zero if there is none or
// it is after the end date. With an error the time is zero.
func (s *Schedule) ask(after time.Time) (next time.Time, err error) {
	s.mu.Lock()
	times := s.times
	s.mu.Unlock()
	if times == nil {
		return time.Time{}, nil
	}
	shard, place := s.m.calls.begin(userCall{what: timetableCall, task: s.model.name})
	err = guarded(func() error { next = times.Next(after); return nil })
	shard.end(place)
	if err == nil && !next.IsZero() && !next.After(after) {
		err = fmt.Errorf("its Next(%v) returned %v, which is not later", after, next)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("taskmanager: the timetable of %q: %w", s.model.name, err)
	}
	return s.within(next), nil
}

// within returns a time of the timetable, or zero if it is after the end date.
func (s *Schedule) within(at time.Time) time.Time {
	if !s.until.IsZero() && at.After(s.until) {
		return time.Time{}
	}
	return at
}

// turnAt returns the turn at a time of the timetable, with a random delay. The run is due no
// earlier than at the moment of the one before.
func (s *Schedule) turnAt(at, moment, before time.Time) (turn, error) {
	if at.IsZero() {
		return turn{}, nil
	}
	t := turn{at: at, moment: moment}
	bound := s.jitter
	if !s.until.IsZero() {
		if rest := s.until.Sub(at); rest < bound {
			bound = rest + 1 // not min, as rest may be the largest duration
		}
	}
	if bound > 0 {
		if err := guarded(func() error { t.jitter = time.Duration(s.m.rand.Int64N(int64(bound))); return nil }); err != nil {
			return turn{}, fmt.Errorf("taskmanager: the source of WithRand: %w", err)
		}
		t.jitter = max(t.jitter, before.Sub(moment))
	}
	return t, nil
}

// begin plans the first run after the present time or, with atStart, at the present time, on the
// clock of the timetable.
func (s *Schedule) begin(atStart bool) error {
	now, read := clock.Read()
	if s.fixed {
		now = read
	}
	next, err := s.ask(now) // with atStart too: Repeat returns the error
	if err == nil && atStart {
		next = s.within(now)
	}
	moment := next
	if !s.fixed {
		moment = s.settle(next, read.Add(next.Sub(now)))
	}
	return s.plan(next, moment, time.Time{}, err)
}

// plan sets the alarm for the run at the time next, which is that of the given moment and due no
// earlier than at the moment before. It ends the schedule if there is no next run and nothing is
// outstanding. It returns err, the error of ask.
func (s *Schedule) plan(next, moment, before time.Time, err error) error {
	t, failure := s.turnAt(next, moment, before)
	return s.planTurn(t, cmp.Or(err, failure))
}

// planTurn is plan for a turn that was made before.
func (s *Schedule) planTurn(t turn, err error) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	if s.spentLocked() {
		t = turn{}
	}
	s.next, s.alarm = t, nil
	armed := s.armLocked()
	s.restAndUnlock(nil)
	return cmp.Or(err, armed)
}

// armLocked sets the alarm for the next run, if there is one. Schedules that read the wall clock
// again do so together, so that they wake the process only once. s.mu must be held.
func (s *Schedule) armLocked() error {
	if s.over || s.next.at.IsZero() {
		return nil
	}
	left, _ := s.leftLocked()
	left = s.next.after(left)
	if !s.fixed && !clock.Monotonic(s.next.at) {
		left = min(left, longestSleep-s.m.now()%longestSleep)
	}
	s.alarm = s.m.delayed.Add(s.tick, left)
	if s.alarm == nil {
		return ErrStopped
	}
	return nil
}

// leftLocked returns the time until the next time of the timetable, and by how much the wall
// clock was set forward since that was planned. s.mu must be held.
func (s *Schedule) leftLocked() (left, step time.Duration) {
	planned := time.Until(s.next.moment)
	if s.fixed {
		return planned, 0
	}
	left = s.next.at.Sub(clock.Now())
	return left, planned - left
}

// tick is called by the alarm: a run is due, or it is time to read the wall clock again. A
// user's timetable may be slow. On a goroutine of its own it does not delay the other alarms of
// the manager.
func (s *Schedule) tick() {
	s.mu.Lock()
	next, times := s.next, s.times
	left, step := s.leftLocked()
	stepped := step >= clockStep || step <= -clockStep
	if s.over || next.at.IsZero() || next.after(left) > 0 && !stepped {
		err := s.armLocked()
		s.mu.Unlock()
		s.fail(err)
		return
	}
	s.mu.Unlock()
	switch {
	case s.fixed:
		s.keepRate(next, times.(every))
	case stepped:
		s.m.shutdown.background.Go(func() { s.follow(left <= 0) })
	default:
		s.m.shutdown.background.Go(func() { s.come(next) })
	}
}

// keepRate handles a run of Every, and further ones that have become due if the alarm is late, and
// plans the next one. The delay of WithJitter is shorter than the interval, so only the latest time
// may have passed without its run being due.
func (s *Schedule) keepRate(t turn, times every) {
	now := time.Now()
	if !s.until.IsZero() && now.After(s.until) {
		now = s.until
	}
	passed := times.count(t.at, now)
	next := times.Next(now)
	if passed > 0 && s.jitter > 0 {
		at := next.Add(-times.interval)
		latest, err := s.turnAt(at, at, time.Time{})
		if err != nil || latest.due().After(now) {
			s.due(passed)
			s.fail(s.planTurn(latest, err))
			return
		}
	}
	s.due(1 + passed)
	next = s.within(next)
	s.fail(s.plan(next, next, time.Time{}, nil))
}

// follow plans anew after the wall clock was set. If it has jumped over the time of the next
// run, but not over the end of the schedule, follow starts that run, and skips the others.
func (s *Schedule) follow(passed bool) {
	if passed && !s.within(clock.Now()).IsZero() && !s.due(1) {
		return
	}
	s.fail(s.begin(false))
}

// come starts the run of a turn that is due, and plans the next one. Times that have passed since,
// for example while the timetable was asked, are skipped or, with OverlapQueue, handled in the same
// way. Which these are does not depend on the wall clock: they follow from the moment. With
// OverlapCoalesce the run makes up for those that have passed before it starts, and another run
// for those that pass afterwards.
func (s *Schedule) come(t turn) {
	for {
		late := time.Since(t.due())
		if !s.due(1) {
			return
		}
		if s.overlap == OverlapSkip {
			late = time.Since(t.due())
		}
		if s.overlap != OverlapQueue && late > 0 {
			t.at, t.moment = t.at.Add(late), t.moment.Add(late)
		}
		next, err := s.ask(t.at)
		if err != nil || next.IsZero() {
			s.fail(s.planTurn(turn{}, err))
			return
		}
		following, err := s.turnAt(next, t.moment.Add(next.Sub(t.at)), t.due())
		if s.overlap != OverlapQueue || err != nil || time.Until(following.due()) > 0 {
			following.moment = s.settle(next, following.moment)
			s.fail(s.planTurn(following, err))
			return
		}
		t = following
	}
}

// settle returns the moment of the next run, which was computed from an earlier reading of the
// clocks: as it is if the wall clock was set since, so that tick notices that, and otherwise
// exactly.
func (s *Schedule) settle(next, moment time.Time) time.Time {
	pinned := clock.Pin(next)
	if d := pinned.Sub(moment); d <= -clockStep || d >= clockStep {
		return moment
	}
	return pinned
}
