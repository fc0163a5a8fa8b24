package cron

import (
	"errors"
	"fmt"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	// unrestricted is a member of the set of a field that has an item *.
	unrestricted = 63
	// everyHour is the set of all hours.
	everyHour = 1<<24 - 1
	// horizon is the longest time between two leap days in years, such as those of 2096 and 2104.
	horizon = 8
)

// timetable finds times in the sets of values. It does not use the search of go-cron, which misses
// days where the clock changes by half an hour and does not return where a zone skips a day.
//
// Between two changes of the clock, the offset of the zone is constant. The time on the wall clock is
// represented there as a time in UTC that is ahead of the true time by the offset.
type timetable struct {
	sets *cron.SpecSchedule
	zone *time.Location // nil: that of the argument of Next
	spec string
}

// String returns the expression.
func (t *timetable) String() string { return t.spec }

// Next returns the first time after the given one.
func (t *timetable) Next(after time.Time) time.Time {
	zone := t.zone
	if zone == nil {
		zone = after.Location()
	}
	at := after.Round(0).Truncate(time.Second).Add(time.Second).In(zone)
	limit := at.Year() + horizon
	for {
		offset := offsetOf(at)
		start, end := at.ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			// Beyond the table of a zone, where a rule applies, ZoneBounds ends leap years a day
			// too early.
			end = at.Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		wall := at.UTC().Add(offset)
		if !t.anyHour() && !start.IsZero() {
			// Skip the hours that the clock has shown before it was set back.
			shown := start.UTC().Add(offsetOf(start.Add(-1)))
			if shown.After(wall) {
				wall = shown
			}
		}
		wall = t.first(wall, limit)
		if wall.IsZero() {
			return wall
		}
		found := wall.Add(-offset)
		if end.IsZero() || found.Before(end) {
			return found.In(after.Location())
		}
		gap := offsetOf(end) - offset
		if !t.anyHour() && found.Before(end.Add(gap)) {
			return end.In(after.Location())
		}
		at = end
	}
}

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

func (t *timetable) anyHour() bool { return t.sets.Hour&everyHour == everyHour }

// first returns the first matching time on the wall clock at or after from. It is zero if there is
// none up to the end of the year limit.
func (t *timetable) first(from time.Time, limit int) time.Time {
	year, month, day := from.Date()
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	clock := int(from.Sub(midnight) / time.Second)
	for midnight.Year() <= limit {
		year, month, day := midnight.Date()
		if !has(t.sets.Month, int(month)) {
			midnight, clock = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC), 0
			continue
		}
		if t.onDay(midnight) {
			if s := t.clock(clock); s >= 0 {
				return midnight.Add(time.Duration(s) * time.Second)
			}
		}
		midnight, clock = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC), 0
	}
	return time.Time{}
}

// onDay reports whether a day matches the day of month and the day of week.
func (t *timetable) onDay(day time.Time) bool {
	ofMonth, ofWeek := has(t.sets.Dom, day.Day()), has(t.sets.Dow, int(day.Weekday()))
	if has(t.sets.Dom, unrestricted) || has(t.sets.Dow, unrestricted) {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// clock returns the first matching second of a day at or after from, or -1 if there is none.
func (t *timetable) clock(from int) int {
	for hour := from / 3600; hour < 24; hour++ {
		if !has(t.sets.Hour, hour) {
			continue
		}
		for minute := range 60 {
			if !has(t.sets.Minute, minute) {
				continue
			}
			for second := range 60 {
				if s := hour*3600 + minute*60 + second; s >= from && has(t.sets.Second, second) {
					return s
				}
			}
		}
	}
	return -1
}

func has(set uint64, value int) bool { return set>>value&1 == 1 }

// every is the timetable of a fixed rate. The one of go-cron drifts and rounds to seconds.
type every struct {
	start    time.Time
	interval time.Duration
	spec     string
}

func parseEvery(spec string, zone *time.Location, fields []string) (taskmanager.Timetable, error) {
	if zone != nil {
		return nil, errors.New("has a time zone, which means nothing to @every; leave it out")
	}
	if len(fields) != 1 {
		return nil, fmt.Errorf("has %d words after @every; write one duration, like 1h30m", len(fields))
	}
	interval, err := time.ParseDuration(fields[0])
	if err != nil || interval <= 0 {
		return nil, fmt.Errorf("has %q for a duration; write a positive one, like 1h30m or 500ms", fields[0])
	}
	return every{time.Now(), interval, spec}, nil
}

// String returns the expression.
func (e every) String() string { return e.spec }

// Next returns the first time after the given one. It is zero if the time since the start exceeds
// the range of a duration.
func (e every) Next(after time.Time) time.Time {
	if after.Before(e.start) {
		return e.start.Add(e.interval)
	}
	periods := after.Sub(e.start)/e.interval + 1
	next := e.start.Add(periods * e.interval)
	if !next.After(after) {
		return time.Time{}
	}
	return next
}
