package run

import (
	"flag"
	"fmt"
	"go/build"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/session"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

var roundTrip = flag.Bool("roundtrip", false, "record runs and compare them with their replays: a measurement, for a machine without other load")

// outturn is what a run and its replay have in common.
type outturn struct {
	p50, p95, workers float64 // waits and worker-seconds, in seconds
}

// TestRoundTrip records runs over 300 files of 8 MiB on average, and over the source of Go, and replays them
// under the same settings. The median of five ratios must be within 10 %. The waits of the run are those
// that the tasks measured themselves, and not those of the recorder.
//
//	go test ./cmd/tasklab/internal/subcommand/run -run RoundTrip -v -roundtrip
//
// Reading one of the large files takes about ten milliseconds, and a file of the source about 20 µs. With
// those there is one worker, and with the others as many as processors, for the reason that the
// documentation of package record gives.
func TestRoundTrip(t *testing.T) {
	if !*roundTrip {
		t.Skip("a measurement; see -roundtrip")
	}
	large, source := largeFiles(t), filepath.Join(build.Default.GOROOT, "src")
	const unlimited = "1000000" // more than there are files
	for name, args := range map[string][]string{
		"fifo on one worker":                           {"-dir", large, "-limit", unlimited, "-max", "1"},
		"fair on two workers":                          {"-dir", large, "-limit", unlimited, "-max", "2", "-queue", "fair", "-scaler", "fixed"},
		"priority with targetwait":                     {"-dir", large, "-limit", unlimited, "-max", "2", "-queue", "priority", "-scaler", "targetwait"},
		"small files on one worker":                    {"-dir", source, "-limit", unlimited, "-max", "1"},
		"small files on one worker with the limit 256": {"-dir", source, "-max", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			const runs = 5
			ratios := make(map[string][]float64)
			for range runs {
				file := filepath.Join(t.TempDir(), "trace.csv")
				parsed, err := Subcommand.Parse(args, nil)
				if err != nil {
					t.Fatal(err)
				}
				c := parsed.(*command)
				run, replay := c.measured(t, file), c.replayed(t, file)
				t.Logf("run %+v, replay %+v", run, replay)
				ratios["p50 wait"] = append(ratios["p50 wait"], replay.p50/run.p50)
				ratios["p95 wait"] = append(ratios["p95 wait"], replay.p95/run.p95)
				ratios["worker-seconds"] = append(ratios["worker-seconds"], replay.workers/run.workers)
			}
			for what, all := range ratios {
				slices.Sort(all)
				median := all[runs/2]
				t.Logf("%s: replay / run: %.3f (from %.3f to %.3f)", what, median, all[0], all[runs-1])
				if median < 0.9 || median > 1.1 {
					t.Errorf("%s: the median of the ratios is %.3f", what, median)
				}
			}
		})
	}
}

// largeFiles makes files of exponentially distributed sizes. They are sparse, so they need no disk.
func largeFiles(t *testing.T) (dir string) {
	t.Helper()
	const files, folders, mean = 300, 5, 8 << 20
	dir = t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("folder%d", i%folders), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, int64(mean*random.ExpFloat64())); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// measured runs the command and records it.
func (c *command) measured(t *testing.T, file string) outturn {
	t.Helper()
	rec, err := record.New(record.Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(c.manager, c.queue.Value, c.scaler.Value(),
		taskmanager.WithRestart(c.restart.Value()), taskmanager.WithPoolTimes(), taskmanager.WithObserver(rec))
	if err != nil {
		t.Fatal(err)
	}
	files := workload.Directory(c.dir)
	j := &job{Session: s, files: files, reader: workload.NewReader(files, c.retries, s.Load), results: newResults()}
	if err := j.Work(t.Context(), j.feed); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil || rec.Dropped() > 0 {
		t.Fatalf("%v; %d rows were dropped", err, rec.Dropped())
	}
	var waits []time.Duration
	for _, key := range j.results.keys {
		waits = append(waits, key.waits...)
	}
	slices.Sort(waits)
	return outturn{nearestRank(waits, 50).Seconds(), nearestRank(waits, 95).Seconds(), j.Final.WorkerTime}
}

// replayed replays what was recorded.
func (c *command) replayed(t *testing.T, file string) outturn {
	t.Helper()
	r := simulate.Test(t, trace.Open(file, trace.CSV()), func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
		with = append(with, c.manager.Options()...)
		return taskmanager.Start(append(with, taskmanager.WithQueue(c.queue.Value), taskmanager.WithScaler(c.scaler.Value()), taskmanager.WithRestart(c.restart.Value()))...)
	})
	return outturn{r.Total.Wait.Percentile(50).Seconds(), r.Total.Wait.Percentile(95).Seconds(), r.WorkerTime}
}
