package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/cron"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func parse(t testing.TB, spec string) taskmanager.Timetable {
	t.Helper()
	times, err := cron.Parse(spec)
	if err != nil {
		t.Fatalf("Parse(%q): %v", spec, err)
	}
	return times
}

// after returns the first n times of an expression after a given time.
func after(t testing.TB, spec string, from time.Time, n int) (list []string) {
	t.Helper()
	times := parse(t, spec)
	for range n {
		from = times.Next(from)
		list = append(list, from.Format("Mon 2006-01-02 15:04:05"))
	}
	return list
}

func TestSpecifications(t *testing.T) {
	from := time.Date(2026, 2, 27, 23, 59, 58, 999, time.UTC) // a Friday
	for _, c := range []struct {
		spec string
		want []string
	}{
		{"* * * * *", []string{"Sat 2026-02-28 00:00:00", "Sat 2026-02-28 00:01:00"}},
		{"* * * * * *", []string{"Fri 2026-02-27 23:59:59", "Sat 2026-02-28 00:00:00"}},
		{" \t30   5,20  4 ? *\t* ", []string{"Sat 2026-02-28 04:05:30", "Sat 2026-02-28 04:20:30"}},
		{"0 22-1 * * *", []string{"Sat 2026-02-28 00:00:00", "Sat 2026-02-28 01:00:00", "Sat 2026-02-28 22:00:00"}},
		{"50/4 9-17/8 * * *", []string{"Sat 2026-02-28 09:50:00", "Sat 2026-02-28 09:54:00", "Sat 2026-02-28 09:58:00", "Sat 2026-02-28 17:50:00"}},
		{"0 0 29 2 *", []string{"Tue 2028-02-29 00:00:00", "Sun 2032-02-29 00:00:00"}},
		{"0 0 31 * *", []string{"Tue 2026-03-31 00:00:00", "Sun 2026-05-31 00:00:00"}},
		{"0 0 * MAR Thu", []string{"Thu 2026-03-05 00:00:00", "Thu 2026-03-12 00:00:00"}},
		{"0 0 * * fri-mon", []string{"Sat 2026-02-28 00:00:00", "Sun 2026-03-01 00:00:00", "Mon 2026-03-02 00:00:00", "Fri 2026-03-06 00:00:00"}},
		{"0 0 * * 7", []string{"Sun 2026-03-01 00:00:00", "Sun 2026-03-08 00:00:00"}},
		{"0 0 2 * mon,tue", []string{"Mon 2026-03-02 00:00:00", "Tue 2026-03-03 00:00:00", "Mon 2026-03-09 00:00:00"}},
		{"@Yearly", []string{"Fri 2027-01-01 00:00:00"}},
		{"@annually", []string{"Fri 2027-01-01 00:00:00"}},
		{"@monthly", []string{"Sun 2026-03-01 00:00:00", "Wed 2026-04-01 00:00:00"}},
		{"@weekly", []string{"Sun 2026-03-01 00:00:00"}},
		{"@daily", []string{"Sat 2026-02-28 00:00:00"}},
		{"@midnight", []string{"Sat 2026-02-28 00:00:00"}},
		{"@hourly", []string{"Sat 2026-02-28 00:00:00", "Sat 2026-02-28 01:00:00"}},
		{"CRON_TZ=Asia/Kathmandu 0 12 * * *", []string{"Sat 2026-02-28 06:15:00"}},
		{"TZ=America/New_York @daily", []string{"Sat 2026-02-28 05:00:00"}},
	} {
		if diff := cmp.Diff(c.want, after(t, c.spec, from, len(c.want))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.spec, diff)
		}
	}
}

func TestLeapDaysAreFoundAcrossEightYears(t *testing.T) {
	got := parse(t, "0 0 29 2 *").Next(time.Date(2096, 2, 29, 0, 0, 0, 0, time.UTC))
	if want := time.Date(2104, 2, 29, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("after 29 February 2096 comes %v, want %v", got, want)
	}
}

// In the far future a rule applies in each zone, and package time ends every year of the rule after
// 365 days.
func TestEndOfALeapYearInTheFarFuture(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		times := parse(t, "CRON_TZ="+zone+" 0 12 * * *")
		at := time.Date(2096, 12, 28, 12, 0, 0, 0, loc)
		for range 10 {
			next := times.Next(at)
			if want := time.Date(at.Year(), at.Month(), at.Day()+1, 12, 0, 0, 0, loc); !next.Equal(want) {
				t.Fatalf("%s: after %v comes %v, want %v", zone, at, next, want)
			}
			at = next.In(loc)
		}
		parse(t, "CRON_TZ="+zone+" 0 0 29 2 *").Next(at) // comes back
	}
}

func TestWithoutZoneTheOneAskedAboutCounts(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	got := parse(t, "0 12 * * *").Next(time.Date(2026, 1, 1, 0, 0, 0, 0, zone))
	if want := time.Date(2026, 1, 1, 12, 0, 0, 0, zone); !got.Equal(want) || got.Location() != zone {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBadSpecifications(t *testing.T) {
	for spec, hint := range map[string]string{
		"":                                      "has 0 fields; write five",
		"   ":                                   "has 0 fields",
		"* * * *":                               "has 4 fields",
		"0 0 0 1 1 * 2030":                      "has 7 fields",
		"60 * * * *":                            `has "60" for the minute; use *, values from 0 to 59`,
		"60 * * * * *":                          `has "60" for the second`,
		"* 24 * * *":                            `has "24" for the hour`,
		"* * 0 * *":                             `has "0" for the day of month`,
		"* * * 13 *":                            `or names from jan to dec`,
		"* * * * 8":                             `has "8" for the day of week`,
		"* * * * monday":                        `has "monday"`,
		"62-5 * * * *":                          `has "62-5"`,
		"5-62 * * * *":                          `has "5-62"`,
		"*-5 * * * *":                           `has "*-5"`,
		", * * * *":                             `has ""`,
		"1,,2 * * * *":                          `has ""`,
		"+1 * * * *":                            `has "+1"`,
		"001 * * * *":                           `has "001"`,
		"-1 * * * *":                            `has "-1"`,
		"1-2-3 * * * *":                         `has "1-2-3"`,
		"*/0 * * * *":                           `has "*/0"`,
		"*/2/2 * * * *":                         `has "*/2/2"`,
		"*/60 * * * *":                          "step (60) must be less",
		"* * * * fri-mon/2":                     `has "fri-mon/2"`,
		"H * * * *":                             `has "h" for the minute`,
		"0 0 L * *":                             `has "l" for the day of month`,
		"0 0 * * fri#3":                         `has "fri#3"`,
		"0 0 30 2 *":                            "never comes",
		"0 0 31 2,4,6,9,11 *":                   "never comes",
		"@reboot":                               "no known word; use @yearly",
		"@daily now":                            "no known word",
		"@every":                                "has 0 words after @every; write one duration",
		"@every 1h 30m":                         "has 2 words",
		"@every 0s":                             `has "0s" for a duration; write a positive one`,
		"@every -1s":                            `has "-1s"`,
		"@every day":                            `has "day"`,
		"CRON_TZ=UTC @every 1h":                 "leave it out",
		"CRON_TZ=UTC":                           "has 0 fields",
		"CRON_TZ= * * * * *":                    "names no time zone",
		"TZ=Mars/Olympus * * * * *":             "not known here",
		"TZ=../../etc/passwd * * * * *":         "not known here",
		"CRON_TZ=UTC TZ=UTC 0 0 * *":            "for the minute",
		strings.Repeat("0,", 600) + "0 * * * *": "too long",
	} {
		_, err := cron.Parse(spec)
		if err == nil {
			t.Errorf("%q was taken", spec)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "cron: ") || !strings.Contains(got, hint) {
			t.Errorf("%q: error %q, want cron: and %q", spec, got, hint)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"* * * * *", "1-5/2,7 22-2 ? jan,MAR-dec sun", "CRON_TZ=Europe/Berlin 0 0 29 2 *",
		"@every 1h", "@daily", "TZ=Pacific/Apia 0 0 1 * *",
	} {
		f.Add(s, int64(1_325_200_000))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		times, err := cron.Parse(spec)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "cron: ") {
				t.Errorf("%q: error %q", spec, err)
			}
			return
		}
		// The years 1 to 9999 are what a clock may show.
		from := time.Unix(max(min(unix, 250_000_000_000), -62_000_000_000), 0)
		next := times.Next(from)
		if !next.IsZero() && !next.After(from) {
			t.Errorf("%q: after %v comes %v", spec, from, next)
		}
	})
}
