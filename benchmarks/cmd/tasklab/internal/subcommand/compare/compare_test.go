package compare

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
)

const ms = time.Millisecond

// byHand is a workload small enough to compute its results by hand. It is sampled
// every 70 ms, when nothing else happens.
func byHand() *workload.Synthetic {
	return &workload.Synthetic{Duration: workload.Samples * 70 * ms, Work: workload.Sleep, Arrivals: []workload.Arrival{
		{At: 0, Service: 1000 * ms, Patience: 900 * ms},
		{At: 100 * ms, Service: 1000 * ms, Patience: 900 * ms},
		{At: 200 * ms, Service: 500 * ms, Patience: 900 * ms},
		{At: 300 * ms, Service: 500 * ms, Patience: 900 * ms},
		{At: 400 * ms, Service: 150 * ms, Patience: 900 * ms},
	}}
}

// testCommand is for up to two workers.
func testCommand(t *testing.T, queues, scalers string) *command {
	t.Helper()
	c, err := Subcommand.Parse([]string{
		"-queue", queues, "-scaler", scalers, "-max", "2", "-idle-timeout", "1m", "-limit", "10",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*command)
}

// compareQuietly compares without a display.
func compareQuietly(ctx context.Context, c *command, w workload.Workload) (comparison.Comparison, error) {
	return c.compare(ctx, w, func() progress.Display { return progress.New(io.Discard) })
}

var approximately = cmp.Options{
	cmpopts.EquateApprox(0.001, 0.0001), // the precision of the histograms
	cmpopts.IgnoreFields(comparison.Measurement{}, "Samples"),
}

func TestCompare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := compareQuietly(t.Context(), testCommand(t, "fifo,lifo", "demand,fixed"), byHand())
		if err != nil {
			t.Fatal(err)
		}
		// Two tasks start at once. Under FIFO the others start at 1000, 1100 and
		// 1500 ms; under LIFO the last at 1000, the fourth at 1100 and the third at 1150.
		fifo := comparison.Measurement{
			Queue: "fifo", Scaler: "demand", Tasks: 5, Done: 5, Late: 1, Elapsed: 1.65,
			WaitP50: 800, WaitP95: 1100, WaitP99: 1100, RunP50: 500,
			// One worker exists all the time, the other one from 100 ms on.
			MeanWorkers: 3.2 / 1.65, PeakWorkers: 2, WorkerSeconds: 3.2,
		}
		lifo := fifo
		lifo.Queue, lifo.WaitP50, lifo.WaitP95, lifo.WaitP99 = "lifo", 600, 950, 950
		want := []comparison.Measurement{fifo, fifo, lifo, lifo}
		for _, i := range []int{1, 3} {
			want[i].Scaler, want[i].MeanWorkers, want[i].WorkerSeconds = "fixed", 2, 3.3
		}
		if diff := cmp.Diff(want, c.Settings, approximately); diff != "" {
			t.Error("settings (-want +got):\n" + diff)
		}
		if c.Interrupted || c.Tasks != 5 || c.SampleInterval != 70 {
			t.Errorf("%+v", c)
		}
		checkSamples(t, c.Settings[0].Samples)
	})
}

// checkSamples checks the samples of FIFO with Demand.
func checkSamples(t *testing.T, samples []comparison.Sample) {
	t.Helper()
	var want []comparison.Sample
	for at := 70 * ms; at <= 1650*ms; at += 70 * ms {
		s := comparison.Sample{At: at.Seconds(), Workers: 2, Busy: 2}
		switch {
		case at < 100*ms:
			s.Workers, s.Busy = 1, 1
		case at > 1600*ms:
			s.Busy = 1
		}
		for _, w := range []struct{ from, to time.Duration }{{200 * ms, 1000 * ms}, {300 * ms, 1100 * ms}, {400 * ms, 1500 * ms}} {
			if w.from < at && at < w.to {
				s.Queued++
			}
		}
		want = append(want, s)
	}
	if diff := cmp.Diff(want, samples, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error("samples (-want +got):\n" + diff)
	}
}

// A submit that waits for room delays the later submits. The waits of their tasks
// still start when the tasks are due.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testCommand(t, "fifo", "demand")
		cfg.manager.Limit = 0
		c, err := compareQuietly(t.Context(), cfg, byHand())
		if err != nil {
			t.Fatal(err)
		}
		// The submit of the third task ends at 1000 ms, that of the fourth at 1100,
		// when the fifth is 700 ms late.
		want := comparison.Measurement{
			Queue: "fifo", Scaler: "demand", Tasks: 5, Done: 5, Late: 1, Elapsed: 1.65,
			WaitP50: 800, WaitP95: 1100, WaitP99: 1100, RunP50: 500,
			MeanWorkers: 3.2 / 1.65, PeakWorkers: 2, WorkerSeconds: 3.2, Lag: 700,
		}
		if diff := cmp.Diff([]comparison.Measurement{want}, c.Settings, approximately); diff != "" {
			t.Error("settings (-want +got):\n" + diff)
		}
		if remarks := c.Lagging(); len(remarks) != 1 || !strings.HasPrefix(remarks[0], "under demand tasks were submitted up to 700ms late") {
			t.Errorf("%q", remarks)
		}
	})
}

func TestCompareWhatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testCommand(t, "fifo,codel", "fixed")
		if err := cfg.manager.Overflow.Set("drop-newest"); err != nil {
			t.Fatal(err)
		}
		cfg.manager.Limit = 2
		c, err := compareQuietly(t.Context(), cfg, byHand())
		if err != nil {
			t.Fatal(err)
		}
		var got [][4]int
		for _, m := range c.Settings {
			got = append(got, [4]int{m.Done, m.Shed, m.Dropped, m.Late})
		}
		// There is no room for the fifth task. CoDel starts the third, as no task had
		// waited before, and then sheds the fourth.
		if diff := cmp.Diff([][4]int{{4, 0, 1, 0}, {3, 1, 1, 0}}, got); diff != "" {
			t.Error("done, shed, dropped, late (-want +got):\n" + diff)
		}
	})
}

func TestCompareInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), (1650+1250)*ms)
		defer cancel()
		c, err := compareQuietly(ctx, testCommand(t, "fifo", "demand,fixed,step"), byHand())
		if err != nil {
			t.Fatal(err)
		}
		var got [][3]int
		for _, m := range c.Settings {
			got = append(got, [3]int{m.Tasks, m.Done, m.Unfinished})
		}
		if diff := cmp.Diff([][3]int{{5, 5, 0}, {5, 2, 3}}, got); diff != "" || !c.Interrupted || c.InFull() != 1 {
			t.Errorf("interrupted %t; tasks, done, unfinished (-want +got):\n%s", c.Interrupted, diff)
		}
	})
}

// An interrupt arrives before the last tasks do.
func TestCompareInterruptedBetweenArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 250*ms)
		defer cancel()
		c, err := compareQuietly(ctx, testCommand(t, "fifo", "demand"), byHand())
		if err != nil {
			t.Fatal(err)
		}
		if m := c.Settings[0]; m.Tasks != 3 || m.Unfinished != 3 || m.Elapsed != 0.25 {
			t.Errorf("%+v", m)
		}
	})
}

func TestCompareLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		w := byHand()
		w.Arrivals[4].Service = 1000 * ms
		_, err := testCommand(t, "fifo", "demand,fixed").compare(t.Context(), w, func() progress.Display { return progress.New(&b) })
		if err != nil {
			t.Fatal(err)
		}
		want := "tasklab: 1 of 2, demand: 4 of 5 tasks done; 1 of 2 workers busy, 0 queued\n" +
			"tasklab: 2 of 2, fixed: 4 of 5 tasks done; 1 of 2 workers busy, 0 queued\n"
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error("progress (-want +got):\n" + diff)
		}
	})
}

func TestCompareFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := labtest.Slowly(labtest.Map("a", "1", "b", "1", "c", "1", "d/e", "1"), "c") // c fails once
		w, err := workload.FindFiles(t.Context(), base)
		if err != nil {
			t.Fatal(err)
		}
		c, err := compareQuietly(t.Context(), testCommand(t, "fifo,lifo", "demand"), w)
		if err != nil {
			t.Fatal(err)
		}
		var got [][3]int
		for _, m := range c.Settings {
			got = append(got, [3]int{m.Tasks, m.Done, m.Failed})
			if m.Elapsed != 2.2 || m.PeakWorkers != 2 || m.Lag != 0 {
				t.Errorf("%+v", m)
			}
		}
		if diff := cmp.Diff([][3]int{{4, 3, 1}, {4, 4, 0}}, got); diff != "" || !c.AnyFailed() {
			t.Errorf("failed %t; tasks, done, failed (-want +got):\n%s", c.AnyFailed(), diff)
		}
	})
}
