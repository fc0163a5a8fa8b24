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
	s.now()
	if reads != 2 {
		t.Errorf("%d readings after one that failed, want a second one", reads)
	}
}

func TestServerClockWithoutAReading(t *testing.T) {
	local := time.Unix(1_800_000_000, 0)
	s := newServerClock(func() time.Time { return local })
	if got := s.now(); !got.Equal(local) {
		t.Errorf("the time is %v, want the local one", got)
	}
}
