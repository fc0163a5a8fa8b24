package run

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One worker: the first attempt at a, b, and a again.
		rep, err := quietly(t.Context(), testConfig, labtest.Slowly(labtest.Map("a", "12", "b", "1234"), "a"))
		if err != nil {
			t.Fatal(err)
		}
		got := []float64{rep.Elapsed, rep.QueueWaitP50, rep.QueueWaitP99, rep.RunTimeP50, rep.RunTimeP99}
		want := []float64{8.8, 0, 2200, 2200, 4400}
		if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0.001, 0.001)); diff != "" {
			t.Error("times (-want +got):\n" + diff)
		}
		if rep.PeakBusy != 1 || rep.PeakWorkers != 1 || rep.Restarts != 1 {
			t.Errorf("%+v", rep)
		}
	})
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		cfg := testConfig
		cfg.retries = 0
		_, err := cfg.read(t.Context(), labtest.Slowly(labtest.Map("a", "1", "b", "1234"), "a"), progress.New(&b))
		if err != nil {
			t.Fatal(err)
		}
		want := "tasklab: 2 files found, 1 done, 0 B; 1 of 1 workers busy, 0 queued, 1 failed;   0% of b\n" +
			"tasklab: 2 files found, 1 done, 0 B; 1 of 1 workers busy, 0 queued, 1 failed;  50% of b\n"
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error("progress (-want +got):\n" + diff)
		}
	})
}

// The policy decides when a file is tried again, and how often.
func TestRestarts(t *testing.T) {
	bad := labtest.Hook(labtest.Map("bad", ""), func(path string) (fs.File, error) {
		if path == "bad" {
			return nil, errors.New("bad luck")
		}
		return nil, nil
	})
	for _, r := range settings.Restarts.Defaults() {
		want := map[string]struct {
			attempts          int
			shortest, longest time.Duration
		}{
			"exponential":  {21, 0, 140 * time.Second},
			"constant":     {21, 2 * time.Second, 2 * time.Second},
			"decorrelated": {21, 200 * time.Millisecond, 200 * time.Second},
			"never":        {1, 0, 0},
			"intensity":    {2, 0, 0},
			"budget":       {11, 0, 20 * time.Second},
		}[r.Name]
		t.Run(r.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.restart.Setting, cfg.retries = r, 20
				rep, err := quietly(t.Context(), cfg, bad)
				if err != nil {
					t.Fatal(err)
				}
				check(t, rep, outcome{Found: 1, Restarts: want.attempts - 1, Failures: []Failure{{"bad", "bad luck", want.attempts}}})
				if d := measure.Seconds(rep.Elapsed); d < want.shortest || d > want.longest+1 { // an elapsed time is never 0
					t.Errorf("it took %v, want %v to %v", d, want.shortest, want.longest)
				}
				if rep.Restart != r.Name || rep.Scaler != "demand" {
					t.Errorf("the report has scaler %s, restart %s", rep.Scaler, rep.Restart)
				}
			})
		})
	}
}

// Four files take a step each, and three of them wait unless there are workers. The
// scaler decides how many workers there are.
func TestScalers(t *testing.T) {
	for name, want := range map[string]int64{
		"demand": 4, "demand+stabilise": 4, "demand+ratelimit": 4, "fixed": 8, "step": 5, "targetwait": 4, "utilisation": 6, "probe": 3,
		"fixed:3": 3, "step:10s": 1, "utilisation:100": 4,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.manager.Max = 8
				if err := cfg.scaler.Set(name); err != nil {
					t.Fatal(err)
				}
				rep, err := quietly(t.Context(), cfg, labtest.Slowly(labtest.Map("a", "1", "b", "1", "c", "1", "d", "1"), ""))
				if err != nil {
					t.Fatal(err)
				}
				check(t, rep, outcome{Found: 4, Read: 4, Bytes: 4})
				if rep.PeakWorkers != want {
					t.Errorf("%d workers, want %d", rep.PeakWorkers, want)
				}
			})
		})
	}
}
