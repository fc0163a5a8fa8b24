package run

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

// unhurried lets every file take a step to open, and every directory a millisecond,
// so that a worker starts a file before the walk finds the next ones.
func unhurried(base fstest.MapFS) fs.FS {
	return labtest.Hook(base, func(path string) (fs.File, error) {
		if base[path] == nil {
			time.Sleep(time.Millisecond)
		} else {
			time.Sleep(labtest.Step)
		}
		return nil, nil
	})
}

func bytesOf(n int) string { return strings.Repeat("x", n) }

// One worker reads the first file while the walk finds the others. All of those
// are late.
func TestOrder(t *testing.T) {
	files := labtest.Map("0/first", "1", "1/big", bytesOf(3072), "1/small", bytesOf(10), "2/mid", bytesOf(1024), "2/tiny", "1")
	wants := map[string]string{
		"fifo":        "0/first 1/big 1/small 2/mid 2/tiny",
		"lifo":        "0/first 2/tiny 2/mid 1/small 1/big",
		"priority":    "0/first 2/tiny 1/small 2/mid 1/big",
		"priority:1":  "0/first 2/tiny 1/small 1/big 2/mid", // mid is a level above big, and two places behind
		"deadline":    "0/first 1/small 2/tiny 2/mid 1/big", // tiny is found a millisecond later
		"fair":        "0/first 2/mid 2/tiny 1/big 1/small", // a folder must save up for big
		"fair:1=9":    "0/first 1/big 1/small 2/mid 2/tiny",
		"codel":       "0/first 1/big", // the others wait for big
		"codel:1h:2h": "0/first 1/big 1/small 2/mid 2/tiny",
		"limitbykey":  "0/first 1/big 2/mid 1/small 2/tiny", // small must wait until big has ended
	}
	for _, d := range settings.Disciplines.Defaults() {
		if wants[d.Name] == "" {
			t.Errorf("%s is not tested", d.Name)
		}
	}
	for word, want := range wants {
		t.Run(word, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened []string // by the one worker
				noting := labtest.Hook(unhurried(files), func(path string) (fs.File, error) {
					if files[path] != nil {
						opened = append(opened, path)
					}
					return nil, nil
				})
				cfg := testConfig
				if err := cfg.queue.Set(word); err != nil {
					t.Fatal(err)
				}
				rep, err := quietly(t.Context(), cfg, noting)
				if err != nil {
					t.Fatal(err)
				}
				account(t, rep)
				if diff := cmp.Diff(want, strings.Join(opened, " ")); diff != "" {
					t.Error("order (-want +got):\n" + diff)
				}
				if n := len(opened); rep.Read != n || rep.Shed != 5-n || rep.Late != n-1 || rep.Unfinished != 0 {
					t.Errorf("%+v", rep.Tally)
				}
			})
		})
	}
}

// Two files may wait while the first is read, and four are found.
func TestOverflow(t *testing.T) {
	files := labtest.Map("0/a", "1", "1/b", "1234", "1/c", "1", "1/d", "12", "1/e", "1")
	for _, o := range settings.Overflows.Defaults() {
		want := map[string]string{
			"block":       "0/a 1/b 1/c 1/d 1/e",
			"drop-newest": "0/a 1/b 1/c",
			"drop-oldest": "0/a 1/d 1/e",
			"drop-worst":  "0/a 1/c 1/e", // b and d are larger
			"caller-runs": "0/a 1/b 1/c 1/d 1/e",
		}[o.Name]
		t.Run(o.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.manager.Overflow.Setting, cfg.manager.Limit = o, 2
				if err := cfg.queue.Set("priority"); err != nil {
					t.Fatal(err)
				}
				rep, err := quietly(t.Context(), cfg, unhurried(files))
				if err != nil {
					t.Fatal(err)
				}
				account(t, rep)
				var read []string
				for _, f := range rep.files {
					read = append(read, f.path)
				}
				if diff := cmp.Diff(want, strings.Join(read, " ")); diff != "" {
					t.Error("files read (-want +got):\n" + diff)
				}
				if rep.Dropped != 5-len(read) || rep.Unfinished != 0 {
					t.Errorf("%+v", rep.Tally)
				}
				if callerRuns := o.Name == "caller-runs"; rep.PeakWorkers != 1 || (rep.PeakBusy == 2) != callerRuns {
					t.Errorf("%d workers, %d busy at the same time", rep.PeakWorkers, rep.PeakBusy)
				}
			})
		})
	}
}

// In this run, files end in every possible way.
func TestEveryEnd(t *testing.T) {
	base := labtest.Map("bad", "1", "in/a", "1", "in/b", "1", "in/c", "1", "in/d", "1", "late/e", "")
	files := labtest.Hook(unhurried(base), func(path string) (fs.File, error) {
		switch path {
		case "bad":
			return nil, errors.New("bad luck")
		case "late":
			time.Sleep(10 * time.Second) // until all others have ended
		case "late/e":
			return labtest.With(base, path, endless(func() { time.Sleep(labtest.Step) }))
		}
		return nil, nil
	})
	synctest.Test(t, func(t *testing.T) {
		// At 2 ms a starts, b and c wait, and there is no room for d. At 1.102 s b
		// starts, as the wait of a was short. At 2.202 s c is shed, as the wait of b
		// was long. The interrupt comes after the start of e.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cfg := testConfig
		cfg.retries, cfg.manager.Limit = 0, 2
		if err := errors.Join(cfg.queue.Set("codel"), cfg.manager.Overflow.Set("drop-newest")); err != nil {
			t.Fatal(err)
		}
		rep, err := quietly(ctx, cfg, files)
		if err != nil {
			t.Fatal(err)
		}
		account(t, rep)
		want := []KeyReport{
			{Key: ".", Tally: measure.Tally{Found: 1, Failed: 1}, waits: []time.Duration{0}},
			{
				Key: "in", Tally: measure.Tally{Found: 4, Read: 2, Shed: 1, Dropped: 1, Late: 1, Bytes: 2},
				BytesShare: 1, QueueWaitP50: 0, QueueWaitP99: 1100, waits: []time.Duration{0, labtest.Step},
			},
			{Key: "late", Tally: measure.Tally{Found: 1, Unfinished: 1}},
		}
		if diff := cmp.Diff(want, rep.Keys, cmp.AllowUnexported(KeyReport{})); diff != "" {
			t.Error("keys (-want +got):\n" + diff)
		}
	})
}

// A file that fails, and whose restart is then shed, has failed.
func TestRetryThatIsShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The restart of a waits for b and for c.
		cfg := testConfig
		if err := cfg.queue.Set("codel"); err != nil {
			t.Fatal(err)
		}
		rep, err := quietly(t.Context(), cfg, labtest.Slowly(labtest.Map("a", "1", "b", "1", "c", "1"), "a"))
		if err != nil {
			t.Fatal(err)
		}
		check(t, rep, outcome{Found: 3, Read: 1, Bytes: 1, Failures: []Failure{{"a", "bad luck", 1}}})
		if rep.Failed != 1 || rep.Shed != 1 {
			t.Errorf("%+v", rep.Tally)
		}
	})
}
