package taskmanager

import (
	"fmt"
	"math"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// Overlap determines what happens to a run that is due while the previous run is
// outstanding.
type Overlap uint8

// The overlap policies.
const (
	// OverlapSkip skips the run. It is the default.
	OverlapSkip Overlap = iota
	// OverlapQueue starts the run as soon as the previous run has ended. There is no limit
	// on the number of runs that are due and wait in this way. A run that fails to start is
	// skipped; the others then wait until the next run is due. Times that the wall clock
	// jumps over are not due; see [TaskManager.Repeat].
	OverlapQueue
	// OverlapCoalesce makes up for all runs that are due while a run is outstanding with one
	// run, which starts as soon as the outstanding run has ended. The others are skipped.
	OverlapCoalesce

	overlaps // the number of policies
)

// repeating holds the options that only schedules have.
type repeating struct {
	name    string // of the option given last, for an error
	overlap Overlap
	until   time.Time // zero: no end
	runs    int       // 0: no limit
	atStart bool
	jitter  time.Duration
}

// repeatOption returns an option for schedules with the given name, effect and fault.
func repeatOption(name string, set func(o *repeating), fault error) TaskOption {
	return taskOption(func(c *taskConfig) error {
		if c.repeat == nil {
			c.repeat = new(repeating)
		}
		c.repeat.name = name
		set(c.repeat)
		if fault != nil {
			return fmt.Errorf("taskmanager: %s: %w", name, fault)
		}
		return nil
	})
}

// misplaced returns the error of a submit with an option for schedules.
func (o *repeating) misplaced() error {
	return fmt.Errorf("taskmanager: %s is for Every and Repeat", o.name)
}

// WithOverlap sets what happens to a run of [TaskManager.Every] or [TaskManager.Repeat]
// that is due while the previous run is outstanding. The default is [OverlapSkip]. Other
// submits refuse this option.
func WithOverlap(o Overlap) TaskOption {
	return repeatOption("WithOverlap", func(r *repeating) { r.overlap = o },
		fault(o >= overlaps, "unknown policy %d; use OverlapSkip, OverlapQueue or OverlapCoalesce", o))
}

// WithUntil sets the end of a schedule: no run of [TaskManager.Every] or [TaskManager.Repeat]
// becomes due after t. The schedule ends with the last run before that. If there is none,
// because t is too early, the schedule has ended when Every or Repeat returns. A run that
// became due in time and waits because of [OverlapQueue] or [OverlapCoalesce] still starts.
// The time must not be zero. Other submits refuse this option.
//
// The times of Repeat are compared with t on the wall clock. If that is set forward over the
// end, no further run starts. The runs of Every follow the monotonic clock, and t then means
// the moment at which the wall clock will show it, as seen at the call.
func WithUntil(t time.Time) TaskOption {
	return repeatOption("WithUntil", func(r *repeating) { r.until = t },
		fault(t.IsZero(), "the time is zero; leave the option out for a schedule without an end"))
}

// WithRuns limits the number of runs of [TaskManager.Every] or [TaskManager.Repeat]: the
// schedule ends after n runs have started. Skipped runs do not count, nor do those of
// [Schedule.RunNow]. The number must be positive. Other submits refuse this option.
func WithRuns(n int) TaskOption {
	return repeatOption("WithRuns", func(r *repeating) { r.runs = n },
		fault(n < 1, "the number of runs is %d; it must be 1 or more", n))
}

// WithRunAtStart adds a run of [TaskManager.Every] or [TaskManager.Repeat] that is due at the
// moment of the call, before the times of the timetable. It is a run like the others for
// [WithRuns], [WithUntil], [WithJitter] and [WithOverlap]. Other submits refuse this option.
func WithRunAtStart() TaskOption {
	return repeatOption("WithRunAtStart", func(r *repeating) { r.atStart = true }, nil)
}

// WithJitter delays each run of [TaskManager.Every] or [TaskManager.Repeat] by a random time
// from 0 to just below d, so that schedules with the same times do not all run at the same
// moment. The run becomes due after this delay; until then, nothing is skipped because of it.
// The delays come from the source of [WithRand]. They are independent and do not add up. With
// [WithUntil], a delay ends at the end date at the latest. The default is 0, which means no
// delay; a negative d is an error. Other submits refuse this option.
//
// Every refuses a d that exceeds its interval. If d exceeds the distance between two times of
// a timetable, runs still become due in the order of their times: the later run waits for the
// delay of the earlier one, and both may become due at the same moment.
//
// If the wall clock is set while the delay of a run of Repeat passes, the run starts when the
// schedule notices that, unless the clock then shows an earlier time than that of the run.
func WithJitter(d time.Duration) TaskOption {
	return repeatOption("WithJitter", func(r *repeating) { r.jitter = d },
		fault(d < 0, "the delay is %v; it must not be negative", d))
}

// take removes the options for schedules from c and applies them to the schedule.
func (s *Schedule) take(c *taskConfig) error {
	o := c.repeat
	c.repeat = nil
	if o == nil {
		return nil
	}
	s.overlap, s.atStart, s.jitter, s.until = o.overlap, o.atStart, o.jitter, o.until
	if o.runs > 0 {
		s.left = o.runs
	}
	if e, ok := s.times.(every); ok {
		s.until = clock.Pin(o.until)
		return fault(o.jitter > e.interval, "taskmanager: WithJitter: the delay, %v, exceeds the interval, %v; choose a smaller one", o.jitter, e.interval)
	}
	return nil
}

// unlimited is the number of runs that are left without WithRuns.
const unlimited = math.MaxInt
