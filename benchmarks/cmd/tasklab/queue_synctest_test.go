package main

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
)

// unhurried lets every file take a step, and the walk a millisecond for each
// directory, so that a worker has begun what was found before.
func unhurried(base fstest.MapFS) fs.FS {
	return hooked{base, func(path string) (fs.File, error) {
		if base[path] == nil {
			time.Sleep(time.Millisecond)
		} else {
			time.Sleep(step)
		}
		return nil, nil
	}}
}

func bytesOf(n int) string { return strings.Repeat("x", n) }

// One worker reads the first file while the walk finds the others, all of which
// are late in the end.
func TestOrder(t *testing.T) {
	files := mapFS("0/first", "1", "1/big", bytesOf(3072), "1/small", bytesOf(10), "2/mid", bytesOf(1024), "2/tiny", "1")
	for _, d := range disciplines {
		want := map[string]string{
			"fifo":     "0/first 1/big 1/small 2/mid 2/tiny",
			"lifo":     "0/first 2/tiny 2/mid 1/small 1/big",
			"priority": "0/first 2/tiny 1/small 2/mid 1/big",
			"deadline": "0/first 1/small 2/tiny 2/mid 1/big", // tiny is found a millisecond later
			"fair":     "0/first 2/mid 2/tiny 1/big 1/small", // a folder has to save up for big
			"codel":    "0/first 1/big",                      // the others wait for that
		}[d.name]
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened []string // by the one worker
				noting := hooked{unhurried(files), func(path string) (fs.File, error) {
					if files[path] != nil {
						opened = append(opened, path)
					}
					return nil, nil
				}}
				cfg := testConfig
				cfg.queue.named = d
				rep, err := quietly(t.Context(), cfg, noting)
				if err != nil {
					t.Fatal(err)
				}
				account(t, rep)
				if diff := cmp.Diff(want, strings.Join(opened, " ")); diff != "" {
					t.Error("order (-want +got):\n" + diff)
				}
				if n := len(opened); rep.Read != n || rep.Shed != 5-n || rep.Late != n-1 || rep.Unfinished != 0 {
					t.Errorf("%+v", rep.tally)
				}
			})
		})
	}
}

// Two files may wait while the first one is read, and four are found.
func TestOverflow(t *testing.T) {
	files := mapFS("0/a", "1", "1/b", "1234", "1/c", "1", "1/d", "12", "1/e", "1")
	for _, o := range overflows {
		want := map[string]string{
			"block":       "0/a 1/b 1/c 1/d 1/e",
			"drop-newest": "0/a 1/b 1/c",
			"drop-oldest": "0/a 1/d 1/e",
			"drop-worst":  "0/a 1/c 1/e", // b and d are larger
			"caller-runs": "0/a 1/b 1/c 1/d 1/e",
		}[o.name]
		t.Run(o.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig
				cfg.overflow.named, cfg.limit = o, 2
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
					t.Errorf("%+v", rep.tally)
				}
				if callerRuns := o.name == "caller-runs"; rep.PeakWorkers != 1 || (rep.PeakBusy == 2) != callerRuns {
					t.Errorf("%d workers, %d busy at the same time", rep.PeakWorkers, rep.PeakBusy)
				}
			})
		})
	}
}

// A run in which a file ends in each of the ways that there are.
func TestEveryEnd(t *testing.T) {
	base := mapFS("bad", "1", "in/a", "1", "in/b", "1", "in/c", "1", "in/d", "1", "late/e", "")
	files := hooked{unhurried(base), func(path string) (fs.File, error) {
		switch path {
		case "bad":
			return nil, errors.New("bad luck")
		case "late":
			time.Sleep(10 * time.Second) // until all others have ended
		case "late/e":
			return with(base, path, endless(func() { time.Sleep(step) }))
		}
		return nil, nil
	}}
	synctest.Test(t, func(t *testing.T) {
		// At 2 ms a is begun, b and c wait, and there is no room for d. At 1.102 s b
		// is begun, as the wait of a was short. At 2.202 s c is shed, as that of b
		// was not. An interrupt comes when e has been begun.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cfg := testConfig
		cfg.retries, cfg.limit = 0, 2
		if err := errors.Join(cfg.queue.Set("codel"), cfg.overflow.Set("drop-newest")); err != nil {
			t.Fatal(err)
		}
		rep, err := quietly(ctx, cfg, files)
		if err != nil {
			t.Fatal(err)
		}
		account(t, rep)
		want := []keyReport{
			{Key: ".", tally: tally{Found: 1, Failed: 1}, waits: []time.Duration{0}},
			{
				Key: "in", tally: tally{Found: 4, Read: 2, Shed: 1, Dropped: 1, Late: 1, Bytes: 2},
				BytesShare: 1, QueueWaitP50: 0, QueueWaitP99: 1100, waits: []time.Duration{0, step},
			},
			{Key: "late", tally: tally{Found: 1, Unfinished: 1}},
		}
		if diff := cmp.Diff(want, rep.Keys, cmp.AllowUnexported(keyReport{})); diff != "" {
			t.Error("keys (-want +got):\n" + diff)
		}
	})
}

// A file that fails and is then given up has failed.
func TestRetryThatIsShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The restart of a waits for b, and for c.
		cfg := testConfig
		if err := cfg.queue.Set("codel"); err != nil {
			t.Fatal(err)
		}
		rep, err := quietly(t.Context(), cfg, slowly(mapFS("a", "1", "b", "1", "c", "1"), "a"))
		if err != nil {
			t.Fatal(err)
		}
		check(t, rep, outcome{Found: 3, Read: 1, Bytes: 1, Failures: []failure{{"a", "bad luck", 1}}})
		if rep.Failed != 1 || rep.Shed != 1 {
			t.Errorf("%+v", rep.tally)
		}
	})
}
