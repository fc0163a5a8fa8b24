// Package cron runs tasks at the times of cron expressions.
//
//	s, err := cron.Schedule(ctx, m, "CRON_TZ=Europe/Berlin 30 2 * * mon-fri", backup)
//	if err != nil {
//		return err // for instance: cron: "30 2 * *" has 4 fields; ...
//	}
//	defer s.Stop()
//
// # What is accepted
//
// A specification has five fields, or six with the seconds first, and white space
// between them. Without seconds, tasks run at second 0.
//
//	field          values
//	second         0-59
//	minute         0-59
//	hour           0-23
//	day of month   1-31
//	month          1-12, or jan to dec
//	day of week    0-7, or sun to sat; 0 and 7 are Sunday
//
// A field is a list of items with commas between, and an item is one of
//
//   - every value; ? is the same
//     5      a value
//     1-5    a range; 22-2 goes around the end, and takes no step
//     */2    every second value; 1-5/2 and 3/2, which goes on to the end, are the same
//     for a range; a step must be smaller than the number of values
//
// If both the day of the month and the day of the week are restricted, that is have
// no item *, a day has to match only one of them, as in crontab(5). An item */2 restricts,
// as 1-31/2 does; some versions of cron take it for a *.
//
// In place of the fields there may be @yearly or @annually (on 1 January), @monthly
// (on the first), @weekly (on Sunday), @daily or @midnight, all at midnight, and
// @hourly. Case does not matter, for these and for names.
//
// All of that may follow CRON_TZ= or TZ= with the name of a time zone. Without one,
// times are in the zone of the time that the timetable is asked about; for a manager
// this is time.Local.
//
// "@every 90m" takes a duration as time.ParseDuration does, and no time zone. It is a
// fixed rate from the moment of Parse, like that of TaskManager.Every.
//
// There are no years, no L, W, # or H, and no @reboot. A specification that never
// comes, such as 30 February, is an error.
//
// # When the clocks change
//
// If the clock is put forward, a run that is due in the hours left out is due at the
// moment of the change, once. If it is put back, a run that is due in the hours that
// come twice is due in the first of them. A specification that allows every hour knows
// neither rule: it goes by what the clock shows.
//
// # Errors and concurrency
//
// Errors about a specification begin with "cron: ". All of this package, and the
// timetables it makes, are safe for concurrent use.
//
// # The parser
//
// Fields become sets of values by the parser of github.com/netresearch/go-cron, the
// maintained successor of robfig/cron, which has had no release since 2020; gronx, the
// other one that is maintained, interprets the text anew for each time, gives up
// after a number of steps, and has no time zones in it. Nothing else of go-cron is used.
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

// parser is given only what check has let through.
var parser = cron.MustNewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom |
	cron.Month | cron.Dow | cron.Descriptor)

// Schedule runs a task at the times of a specification. It is TaskManager.Repeat with
// what Parse returns, and returns the errors of both. What it says about the end of a
// schedule, about overlaps (WithOverlap) and about other options holds here too.
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

// Parse makes a timetable of a specification, for TaskManager.Repeat.
func Parse(spec string) (taskmanager.Timetable, error) {
	times, err := parse(strings.Fields(spec))
	if err != nil {
		return nil, fmt.Errorf("cron: %q %w", spec, err)
	}
	return times, nil
}

// parse makes a timetable of what was between the white space.
func parse(fields []string) (taskmanager.Timetable, error) {
	zone, fields, err := cutZone(fields)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		// The parser knows descriptors only in small letters, and takes the H of THU
		// for something else.
		fields[i] = strings.ToLower(f)
	}
	if len(fields) > 0 && fields[0] == "@every" {
		return parseEvery(zone, fields[1:])
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
	t := &timetable{sets, zone}
	// Any time will do: what comes at all comes within the years that are searched.
	if t.Next(time.Unix(0, 0)).IsZero() {
		return nil, errors.New("never comes; choose a day that one of the months has")
	}
	return t, nil
}

// cutZone takes the time zone off the fields; it is nil if there is none.
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
