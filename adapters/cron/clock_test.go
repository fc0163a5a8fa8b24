package cron_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// daytime is an expression and an equivalent function of the wall clock. All times are at full quarters
// of an hour.
type daytime struct {
	spec    string
	shows   func(wall time.Time) bool
	anyHour bool
}

var daytimes = []daytime{
	{"*/15 * * * *", func(time.Time) bool { return true }, true},
	{"30 * * * mon", func(w time.Time) bool { return w.Minute() == 30 && w.Weekday() == time.Monday }, true},
	{"@daily", func(w time.Time) bool { return w.Minute() == 0 && w.Hour() == 0 }, false},
	{"30 0,2 * * *", func(w time.Time) bool { return w.Minute() == 30 && (w.Hour() == 0 || w.Hour() == 2) }, false},
	{"*/15 1-2 * * *", func(w time.Time) bool { return w.Hour() == 1 || w.Hour() == 2 }, false},
	{"0 23 1,31 * *", func(w time.Time) bool { return w.Hour() == 23 && w.Minute() == 0 && (w.Day() == 1 || w.Day() == 31) }, false},
	{"45 0 */2 * sun", func(w time.Time) bool {
		return w.Hour() == 0 && w.Minute() == 45 && (w.Day()%2 == 1 || w.Weekday() == time.Sunday)
	}, false},
}

// due reports whether the expression is due at a true time.
func (d daytime) due(at time.Time, zone *time.Location) bool {
	at = at.In(zone)
	wall := onWall(at)
	start, _ := at.ZoneBounds()
	if d.anyHour || start.IsZero() {
		return d.shows(wall)
	}
	before := onWall(start.Add(-time.Minute)).Add(time.Minute) // what the clock would have shown
	if wall.Before(before) {
		return false // for the second time
	}
	if at.Equal(start) {
		for w := before; w.Before(wall); w = w.Add(time.Minute) {
			if w.Minute()%15 == 0 && d.shows(w) {
				return true // skipped
			}
		}
	}
	return d.shows(wall) && wall.Minute()%15 == 0
}

// onWall returns the time on the wall clock, as a time in UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// TestClockChanges compares the times in the days around each change of the clock with the model: changes
// by an hour, by half an hour, at midnight, and by a day.
func TestClockChanges(t *testing.T) {
	for name, year := range map[string]int{
		"UTC": 2024, "Europe/Berlin": 2024, "America/New_York": 2024, "America/Sao_Paulo": 2017,
		"America/Havana": 2024, "Asia/Beirut": 2024, "Africa/Cairo": 2024, "Africa/Casablanca": 2024,
		"Asia/Tehran": 2018, "Australia/Lord_Howe": 2018, "Pacific/Apia": 2011,
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(year, 1, 1, 0, 0, 0, 0, zone)
		_, change := at.ZoneBounds()
		for change.Year() == year || name == "UTC" {
			around := change
			if name == "UTC" {
				around = at.AddDate(0, 2, 0)
			}
			for _, d := range daytimes {
				compareAround(t, d, name, around)
			}
			if _, change = change.ZoneBounds(); change.IsZero() {
				break
			}
		}
	}
}

func compareAround(t *testing.T, d daytime, name string, change time.Time) {
	t.Helper()
	zone := change.Location()
	from, to := change.UTC().AddDate(0, 0, -4), change.UTC().AddDate(0, 0, 4)
	var want, got []string
	for at := from.Add(15 * time.Minute); !at.After(to); at = at.Add(15 * time.Minute) {
		if d.due(at, zone) {
			want = append(want, at.In(zone).String())
		}
	}
	times := parse(t, "CRON_TZ="+name+" "+d.spec)
	for at := times.Next(from); !at.After(to) && !at.IsZero(); at = times.Next(at) {
		got = append(got, at.In(zone).String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, %q (-want +got):\n%s", name, d.spec, diff)
	}
}
