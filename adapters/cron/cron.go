// Package cron runs tasks at the times of cron expressions.
//
//	s, err := cron.Schedule(ctx, m, "CRON_TZ=Europe/Berlin 30 2 * * mon-fri", backup)
//	if err != nil {
//		return err // for example: cron: "30 2 * *" has 4 fields; ...
//	}
//	defer s.Stop()
//
// # Expressions
//
// An expression has five fields, separated by white space. A sixth field for the seconds may
// precede them; without it, tasks run at second 0.
//
//	field          values
//	second         0-59
//	minute         0-59
//	hour           0-23
//	day of month   1-31
//	month          1-12, or jan to dec
//	day of week    0-7, or sun to sat; 0 and 7 are Sunday
//
// A field is a comma-separated list of items:
//
//	item    meaning
//	*       every value; ? is the same
//	5       one value
//	1-5     a range
//	22-2    a range that wraps around: 22, 23, 0, 1 and 2
//	*/2     every second value
//	1-5/2   every second value of a range; the range must not wrap around
//	3/2     every second value from 3 to the last one
//
// A step must be smaller than the number of values of the field.
//
// If both the day of month and the day of week are restricted, a day needs to match only one of
// the two, as in crontab(5). A field is restricted if it has no item * or ?. A field */2 is
// restricted; some versions of cron differ in this.
//
// The following words replace the fields. They and the names of months and days may be in upper
// or lower case.
//
//	@yearly, @annually   1 January at midnight
//	@monthly             the first of each month at midnight
//	@weekly              each Sunday at midnight
//	@daily, @midnight    each day at midnight
//	@hourly              each hour at minute 0
//
// All of these may follow CRON_TZ= or TZ= with the name of a time zone. Without one, the times are
// in the zone of the time passed to [taskmanager.Timetable.Next], which for a manager is
// [time.Local].
//
// "@every 90m" runs tasks at a fixed rate that starts with the call of [Parse], as
// [taskmanager.TaskManager.Every] does. It does not follow the wall clock. The duration is in the
// format of [time.ParseDuration]. The expression takes no time zone.
//
// Years, L, W, #, H and @reboot are not supported. An expression that matches no day, such as
// 30 February, is an error.
//
// Options of the schedule set an end date, a number of runs, a run at the start, a random delay, and
// what happens to a run that is due while the task still runs: [taskmanager.WithUntil],
// [taskmanager.WithRuns], [taskmanager.WithRunAtStart], [taskmanager.WithJitter] and
// [taskmanager.WithOverlap].
//
// # Clock changes
//
// When the clock is set forward, a run that is due in the skipped hours runs once, at the moment of
// the change. When the clock is set back, a run that is due in the repeated hours runs in the first
// of them. Expressions that match every hour are exempt from both rules: they follow the clock.
//
// These rules are about the rules of a time zone. If the wall clock itself is set, by a person, a
// time service or the suspension of the machine, the schedule continues with the first time after
// the one that the clock then shows; see [taskmanager.TaskManager.Repeat].
//
// # Errors and concurrency
//
// Errors about an expression begin with "cron: ". The functions of this package and the timetables
// that it returns are safe for concurrent use.
//
// # Parser
//
// The parser of github.com/netresearch/go-cron turns the fields into sets of values; nothing else of
// that module is used. It is the maintained successor of robfig/cron, which has had no release since
// 2020. The other maintained parser, gronx, interprets the expression again for each time, gives up
// after a number of steps, and has no time zones in expressions.
package cron

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// parser receives only expressions that check accepts.
var parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom |
	cron.Month | cron.Dow | cron.Descriptor)

// Schedule runs a task at the times of an expression. It calls [Parse] and
// [taskmanager.TaskManager.Repeat], and returns the errors of both. The documentation of Repeat on
// the end of a schedule, overlapping runs and options applies here too.
func Schedule(ctx context.Context, m *taskmanager.TaskManager, spec string, task taskmanager.Task,
	opts ...taskmanager.TaskOption,
) (*taskmanager.Schedule, error) {
	times, err := Parse(spec)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("cron: nil manager; make one with taskmanager.Start")
	}
	return m.Repeat(ctx, times, task, opts...)
}

// Parse returns the timetable of an expression, for [taskmanager.TaskManager.Repeat]. Its method
// String, whose result [taskmanager.Schedule.String] returns, gives the expression, with one blank
// between the fields.
func Parse(spec string) (taskmanager.Timetable, error) {
	times, err := parse(strings.Fields(spec))
	if err != nil {
		return nil, fmt.Errorf("cron: %q %w", spec, err)
	}
	return times, nil
}

// parse returns the timetable of an expression that was split at white space.
func parse(fields []string) (taskmanager.Timetable, error) {
	spec := strings.Join(fields, " ")
	zone, fields, err := cutZone(fields)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		// The parser accepts words like @daily only in lower case, and takes the H of THU for
		// its own syntax.
		fields[i] = strings.ToLower(f)
	}
	if len(fields) > 0 && fields[0] == "@every" {
		return parseEvery(spec, zone, fields[1:])
	}
	if err := check(fields); err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("does not fit: %w", err)
	}
	sets, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("is a %T, which has no place here", parsed)
	}
	t := &timetable{sets, zone, spec}
	// The time does not matter: a time that exists is found within the years that Next searches.
	if t.Next(time.Unix(0, 0)).IsZero() {
		return nil, errors.New("never comes; choose a day that one of the months has")
	}
	return t, nil
}

// cutZone removes the time zone from the fields and returns it, or nil if there is none.
func cutZone(fields []string) (*time.Location, []string, error) {
	if len(fields) == 0 {
		return nil, nil, nil
	}
	name, ok := strings.CutPrefix(fields[0], "CRON_TZ=")
	if !ok {
		name, ok = strings.CutPrefix(fields[0], "TZ=")
	}
	if !ok {
		return nil, fields, nil
	}
	if name == "" {
		return nil, nil, errors.New("names no time zone; write one like Europe/Berlin after the =, without a blank")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, nil, fmt.Errorf("names a time zone that is not known here; write one like Europe/Berlin, "+
			"and import time/tzdata for machines without a list of them: %w", err)
	}
	return zone, fields[1:], nil
}
