package nats

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The clock of a process is any distance from that of the server, and both advance at the same rate.
func TestServerClockCompensatesTheSkew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		skew := time.Duration(rapid.Int64Range(-int64(1000*time.Hour), int64(1000*time.Hour)).Draw(t, "skew"))
		trip := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "round trip"))
		passed := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "passed"))
		server := time.Unix(1_800_000_000, 0)
		local := server.Add(skew)
		s := newServerClock(func() time.Time { return local })
		refreshed := 0
		s.refresh = func() { refreshed++ }
		s.learn(local.Add(-trip/2), local.Add(trip-trip/2), server)
		server, local = server.Add(passed), local.Add(passed)
		if got := s.now(); got.Sub(server).Abs() > time.Microsecond {
			t.Fatalf("the server's time is %v, want %v", got, server)
		}
		if got := s.toLocal(server.Add(time.Minute)); got.Sub(local.Add(time.Minute)).Abs() > time.Microsecond {
			t.Fatalf("the local time is %v, want %v", got, local.Add(time.Minute))
		}
		if got := s.toServer(local.Add(time.Minute)); got.Sub(server.Add(time.Minute)).Abs() > time.Microsecond {
			t.Fatalf("the server's time is %v, want %v", got, server.Add(time.Minute))
		}
		if want := passed > clockAge; (refreshed == 1) != want {
			t.Fatalf("%d readings after %v", refreshed, passed)
		}
	})
}

func TestServerClockReadsOnceAtATime(t *testing.T) {
	local := time.Unix(1_800_000_000, 0)
	s := newServerClock(func() time.Time { return local })
	reads := 0
	s.refresh = func() { reads++ }
	s.learn(local, local, local)
	local = local.Add(time.Hour)
	s.now()
	s.now()
	if reads != 1 {
		t.Errorf("%d readings at once", reads)
	}
	s.learned()
	if s.now(); reads != 1 {
		t.Errorf("%d readings just after one that failed", reads)
	}
	local = local.Add(clockRetry + 1)
	if s.now(); reads != 2 {
		t.Errorf("%d readings some time after one that failed, want 2", reads)
	}
}

// A reading with a long round trip does not replace a good one that is not old.
func TestServerClockPrefersGoodReadings(t *testing.T) {
	local := time.Unix(1_800_000_000, 0)
	s := newServerClock(func() time.Time { return local })
	s.learn(local, local, local)
	local = local.Add(2 * time.Minute)
	s.learn(local.Add(-8*time.Second), local, local)
	if got := s.now(); !got.Equal(local) {
		t.Errorf("after a poor reading the time is %v, want %v", got, local)
	}
	local = local.Add(20 * time.Minute)
	s.learn(local.Add(-8*time.Second), local, local)
	if got, want := s.now(), local.Add(4*time.Second); !got.Equal(want) {
		t.Errorf("a poor reading after a long time: %v, want %v", got, want)
	}
}

func TestServerClockWithoutAReading(t *testing.T) {
	local := time.Unix(1_800_000_000, 0)
	s := newServerClock(func() time.Time { return local })
	if got := s.now(); !got.Equal(local) {
		t.Errorf("the time is %v, want the local one", got)
	}
}

// A process that stands still in the middle of a conversion converts correctly.
func TestServerClockConvertsExactly(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newServerClock(func() time.Time { now = now.Add(time.Second); return now })
	s.learn(now, now, now.Add(time.Hour))
	at := time.Unix(2_000_000, 0)
	if got, want := s.toServer(at), at.Add(time.Hour); !got.Equal(want) {
		t.Errorf("%v is %v on the server, want %v", at, got, want)
	}
	if got, want := s.toLocal(at), at.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("%v of the server is %v, want %v", at, got, want)
	}
}
