package progress

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBarText(t *testing.T) {
	v := View{Tally: measure.Tally{Found: 2000, Read: 1800, Shed: 199, Unfinished: 1, Bytes: 1 << 20}, Total: 2000, Elapsed: 2 * time.Second}
	if got, want := v.position(), "1,999 of 2,000 files"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := v.speed(), " 99%  1.0 MiB  900 files/s  ETA 1s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := new(View).speed(), "  0%"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSimulationText(t *testing.T) {
	v := View{Replays: 12, Replayed: 3, Ended: 250_000, Total: 1_000_000, Elapsed: time.Second}
	if got, want := v.position(), "3 of 12 simulations done, 250,000 of 1,000,000 tasks"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := v.speed(), " 25%  250,000 tasks/s  ETA 3s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var b strings.Builder
	New(&b).Update(v)
	if want := "tasklab: 3 of 12 simulations done, 250,000 of 1,000,000 tasks\n"; b.String() != want || v.load() != "" {
		t.Errorf("%q and %q, want %q", b.String(), v.load(), want)
	}
}

func TestLoadText(t *testing.T) {
	v := View{
		Tally: measure.Tally{Failed: 1, Shed: 3, Dropped: 4}, Unreadable: 1,
		Busy: 1, Workers: 2, Queued: 3,
	}
	if got, want := v.load(), "1 of 2 workers busy, 3 queued, 2 failed, 3 shed, 4 dropped"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A bar on a file that is not a terminal draws nothing, but must still end.
func TestBarEnds(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := newBar(null)
	b.Update(View{Tally: measure.Tally{Found: 1}, Total: 2})
	b.Close(View{})
	if err := null.Close(); err != nil {
		t.Error(err)
	}
}
