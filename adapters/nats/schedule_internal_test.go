package nats

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// every is a timetable of the multiples of a duration.
type every time.Duration

func (e every) Next(after time.Time) time.Time {
	return after.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// A process that was suspended goes on with the last time that has passed, and skips those before.
func TestUpcomingSkipsWhatHasPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "period"))
		now := time.Unix(1_800_000_000, rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		asleep := time.Duration(rapid.Int64Range(0, 900*int64(period)).Draw(t, "asleep"))
		c := testClient()
		c.clock = newServerClock(func() time.Time { return now })
		s := &Schedule{c: c, times: every(period)}
		after := now.Add(-asleep)
		got, err := s.upcoming(after)
		if err != nil {
			t.Fatal(err)
		}
		last := now.Truncate(period) // the last time that has passed
		want := last
		if !last.After(after) {
			want = last.Add(period)
		}
		if !got.Equal(want) {
			t.Fatalf("after %v at %v comes %v, want %v", after, now, got, want)
		}
	})
}

func TestUpcomingOfAVeryLongSleep(t *testing.T) {
	now := time.Unix(1_800_000_000, 500)
	c := testClient()
	c.clock = newServerClock(func() time.Time { return now })
	calls := 0
	s := &Schedule{c: c, times: countedTimes{every(time.Millisecond), &calls}}
	got, err := s.upcoming(now.AddDate(-1, 0, 0))
	if err != nil || got.Sub(now).Abs() > time.Millisecond {
		t.Errorf("at %v comes %v, %v", now, got, err)
	}
	if calls > 3*skipMost {
		t.Errorf("%d calls of the timetable", calls)
	}
}

// countedTimes counts the calls of a timetable.
type countedTimes struct {
	every
	calls *int
}

func (c countedTimes) Next(after time.Time) time.Time {
	*c.calls++
	return c.every.Next(after)
}
