package main

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// step is how long a slow file takes for a byte. Sums of it never meet an update
// of the display, which would leave to chance what that shows.
const step = 1100 * time.Millisecond

// slow reads byte by byte, and takes its time for each.
func slow(r io.Reader) io.Reader {
	return reader(func(p []byte) (int, error) {
		n, err := r.Read(p[:1])
		if n > 0 {
			time.Sleep(step)
		}
		return n, err
	})
}

// slowly makes all files slow, and lets the first attempt at the path fail
// when it has read the file.
func slowly(base fstest.MapFS, path string) fs.FS {
	failing := true
	return hooked{base, func(p string) (fs.File, error) {
		if base[p] == nil {
			return nil, nil
		}
		f, err := base.Open(p)
		if p == path && failing {
			failing = false
			return odd{f, slow(io.MultiReader(f, reader(func([]byte) (int, error) {
				return 0, errors.New("bad luck")
			})))}, err
		}
		return odd{f, slow(f)}, err
	}}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One worker: the first attempt at a, b, and a again.
		rep, err := quietly(t.Context(), testConfig, slowly(mapFS("a", "12", "b", "1234"), "a"))
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
		_, err := run(t.Context(), cfg, slowly(mapFS("a", "1", "b", "1234"), "a"), lines{&b})
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

// When a file is tried again, and how often, is for the policy to say.
func TestRestarts(t *testing.T) {
	bad := hooked{mapFS("bad", ""), func(path string) (fs.File, error) {
		if path == "bad" {
			return nil, errors.New("bad luck")
		}
		return nil, nil
	}}
	for _, r := range restarts {
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
		}[r.name]
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.restart.named, cfg.retries = r, 20
				rep, err := quietly(t.Context(), cfg, bad)
				if err != nil {
					t.Fatal(err)
				}
				check(t, rep, outcome{Found: 1, Restarts: want.attempts - 1, Failures: []failure{{"bad", "bad luck", want.attempts}}})
				if d := seconds(rep.Elapsed); d < want.shortest || d > want.longest+1 { // an elapsed time is never 0
					t.Errorf("it took %v, want %v to %v", d, want.shortest, want.longest)
				}
				if rep.Restart != r.name || rep.Scaler != "demand" {
					t.Errorf("the report tells of scaler %s, restart %s", rep.Scaler, rep.Restart)
				}
			})
		})
	}
}

// Four files take a second each, and three of them wait unless there are workers:
// how many, is for the scaler to say.
func TestScalers(t *testing.T) {
	for name, want := range map[string]int64{
		"demand": 4, "demand+stabilise": 4, "demand+ratelimit": 4, "fixed": 8, "step": 5, "targetwait": 4, "utilisation": 6, "probe": 3,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.max = 8
				if err := cfg.scaler.Set(name); err != nil {
					t.Fatal(err)
				}
				rep, err := quietly(t.Context(), cfg, slowly(mapFS("a", "1", "b", "1", "c", "1", "d", "1"), ""))
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
