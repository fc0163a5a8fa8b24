package dashboard_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// chart is a series, by the names of its columns.
type chart struct {
	step    int
	columns map[string][]float64
}

// chartOf returns the series of the last seconds.
func chartOf(t *testing.T, d *dashboard.Dashboard, seconds int) chart {
	t.Helper()
	v := get[struct {
		Step    int
		Columns [][]float64
	}](t, d, fmt.Sprint("series?seconds=", seconds))
	c := chart{v.Step, map[string][]float64{}}
	for i, name := range get[struct{ Columns []string }](t, d, "meta").Columns {
		c.columns[name] = v.Columns[i]
	}
	return c
}

// roughly says that durations are equal if they differ by no more than a histogram allows.
var roughly = cmpopts.EquateApprox(1.0/16, 1e-6)

// half is the middle of a second, so that no event of a test is at the time of a sample.
const half = 500 * time.Millisecond

func TestSamplesOfEachSecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(0, 1), taskmanager.WithPoolTimes(), taskmanager.WithLimit(2, taskmanager.DropNewest))
		begin := float64(time.Now().Unix())
		time.Sleep(half)
		for i, takes := range []time.Duration{time.Second, 2 * time.Second, 1, 1} { // the last one is dropped
			submit(t, m, fmt.Sprint("task", i), func(context.Context) error { time.Sleep(takes); return nil })
		}
		submit(t, m, "delayed", breakDown, taskmanager.WithDelay(4*time.Second), taskmanager.WithRestart(restart.MaxAttempts(2, restart.Constant(time.Second))))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		c := chartOf(t, d, 60)
		equal(t, "step", c.step, 1)
		for name, want := range map[string][]float64{
			"t":          {begin + 1, begin + 2, begin + 3, begin + 4, begin + 5, begin + 6},
			"workers":    {1, 1, 1, 1, 1, 1},
			"busy":       {1, 1, 1, 0, 0, 0},
			"queued":     {2, 1, 1, 0, 0, 0},
			"blocked":    {0, 0, 0, 0, 0, 0},
			"lent":       {0, 0, 0, 0, 0, 0},
			"delayed":    {1, 1, 1, 1, 0, 0},
			"restarting": {0, 0, 0, 0, 1, 0},
			"oldest":     {0.5, 1.5, 2.5, 0, 0, 0},
			"started":    {1, 1, 0, 1, 1, 1},
			"succeeded":  {0, 1, 0, 2, 0, 0},
			"failed":     {0, 0, 0, 0, 1, 1},
			"cancelled":  {0, 0, 0, 0, 0, 0},
			"restarts":   {0, 0, 0, 0, 1, 0},
			"lost":       {1, 0, 0, 0, 0, 0},
			"run50":      {-1, 1, -1, 0, 0, 0},
			"run99":      {-1, 1, -1, 2, 0, 0},
			"wait50":     {-1, 0, -1, 1, 0, 0},
			"wait99":     {-1, 0, -1, 3, 0, 0},
		} {
			equal(t, name, c.columns[name], want, roughly)
		}
		equal(t, "a cancelled execution", cancelledIn(t, m, d), 1)
	})
}

// cancelledIn cancels a task that runs, and returns how many the next sample counts.
func cancelledIn(t *testing.T, m *taskmanager.TaskManager, d *dashboard.Dashboard) float64 {
	t.Helper()
	h := submit(t, m, "cancelled", untilCancelled)
	<-h.Started()
	h.Cancel()
	time.Sleep(time.Second)
	synctest.Wait()
	c := chartOf(t, d, 60).columns["cancelled"]
	return c[len(c)-1]
}

func TestSamplesWithoutCollector(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m := start(t, taskmanager.WithWorkers(0, 1))
		d := show(t, dashboard.Manager("m", m))
		time.Sleep(half)
		run(t, m, "good", succeed)
		run(t, m, "broken", breakDown)
		submit(t, m, "running", untilCancelled)
		submit(t, m, "queued", succeed)
		time.Sleep(time.Second)
		synctest.Wait()
		c := chartOf(t, d, 60)
		for name, want := range map[string]float64{
			"started": 3, "succeeded": 1, "failed": 1, "cancelled": 0, "restarts": -1, "busy": 1, "queued": 1,
			"oldest": -1, "wait50": -1, "run99": -1,
		} {
			equal(t, name, c.columns[name], []float64{want})
		}
		equal(t, "failures", get[struct{ Failures int }](t, d, "overview").Failures, -1)
		for _, place := range []string{"kinds", "keys"} {
			equal(t, place+" available", get[struct{ Available bool }](t, d, place).Available, false)
		}
	})
}

// A coarse point has the means of levels, the sums of counts, and the percentiles of all durations of
// 15 seconds. The percentiles are not means of percentiles.
func TestFolding(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		time.Sleep(half)
		for i := range 15 {
			n := 1
			if i == 7 {
				n = 98
			}
			for j := range n { // 98 short executions in one second, one long one in each other
				takes := 100 * time.Millisecond
				if n > 1 {
					takes = time.Millisecond
				}
				run(t, m, fmt.Sprintf("task-%d-%d", i, j), func(context.Context) error { time.Sleep(takes); return nil })
			}
			time.Sleep(time.Duration(i+1)*time.Second + half - time.Since(bubbleStart))
		}
		h := submit(t, m, "long", untilCancelled)
		time.Sleep(7 * time.Second)
		h.Cancel()
		time.Sleep(8 * time.Second)
		synctest.Wait()
		fine, c := chartOf(t, d, 900), chartOf(t, d, 901)
		equal(t, "step", c.step, 15)
		for name, want := range map[string][]float64{
			"started": {112, 1}, "succeeded": {112, 0}, "busy": {0, 7.0 / 15}, "workers": {1, 1}, "run50": {0.001, 7}, "run95": {0.1, 7}, "oldest": {0, 0},
		} {
			equal(t, name, c.columns[name], want, roughly)
		}
		if got := fine.columns["run50"][:15]; slices.Max(got) > 0.11 || slices.Min(got) > 0.0011 {
			t.Errorf("the fine percentiles are %v", got)
		}
	})
}

// bubbleStart is the time at which every bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// The series have 15 minutes and 4 hours, whatever happens to the wall clock.
func TestLengthsOfTheSeries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := watched(t)
		time.Sleep(5*time.Hour + half)
		synctest.Wait()
		end := float64(bubbleStart.Unix()) + 5*3600
		for seconds, want := range map[int]struct {
			step, points int
		}{1: {1, 60}, 60: {1, 60}, 61: {1, 61}, 900: {1, 900}, 901: {15, 60}, 3600: {15, 240}, 14400: {15, 960}, 1e9: {15, 960}} {
			c := chartOf(t, d, seconds)
			at := c.columns["t"]
			if c.step != want.step || len(at) != want.points || at[len(at)-1] != end || at[0] != end-float64(want.step*(want.points-1)) {
				t.Errorf("%d seconds: step %d, %d points from %v to %v; want step %d, %d points to %v",
					seconds, c.step, len(at), at[0], at[len(at)-1], want.step, want.points, end)
			}
		}
	})
}

// The overview has percentiles of the last ten seconds.
func TestRecentPercentiles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		type recent struct {
			Seconds   int
			Wait, Run []float64
		}
		look := func() recent {
			synctest.Wait()
			return get[struct{ Recent recent }](t, d, "overview").Recent
		}
		none := []float64{-1, -1, -1}
		equal(t, "at first", look(), recent{10, none, none})
		time.Sleep(half)
		for i := range 100 {
			run(t, m, fmt.Sprint("task", i), func(context.Context) error { time.Sleep(time.Duration(i+1) * time.Millisecond); return nil })
		}
		time.Sleep(time.Second) // the executions have taken 5 s
		equal(t, "after a burst", look(), recent{10, []float64{0, 0, 0}, []float64{0.050, 0.095, 0.099}}, roughly)
		time.Sleep(10 * time.Second)
		equal(t, "ten seconds later", look(), recent{10, none, none})
	})
}

func TestOverview(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 300), taskmanager.WithLimit(7, taskmanager.Reject))
		for i := range 300 {
			submit(t, m, fmt.Sprint("task", i), untilCancelled)
			synctest.Wait()
		}
		submit(t, m, "queued", succeed)
		time.Sleep(time.Second)
		synctest.Wait()
		m.Pause()
		type overview struct {
			State           string
			Min, Max, Limit int
			Point           []float64
			Counts          map[string]int
			Decisions       []struct{ Number int }
			Workers         struct {
				Total   int
				Workers []struct{ ID int }
			}
		}
		o := get[overview](t, d, "overview")
		equal(t, "counts", o.Counts, map[string]int{
			"accepted": 301, "succeeded": 0, "failed": 0, "cancelled": 0, "stopped": 0, "timed_out": 0, "dropped": 0, "shed": 0,
			"handed_over": 0, "running": 300, "delayed": 0, "restarting": 0, "queued": 1,
		})
		equal(t, "listed workers", len(o.Workers.Workers), 256)
		equal(t, "workers", o.Workers.Total, 300)
		equal(t, "decisions", len(o.Decisions), 6)
		equal(t, "busy", o.Point[2], 300)
		equal(t, "target", o.Point[4], 300)
		o.Counts, o.Workers.Workers, o.Decisions, o.Point, o.Workers.Total = nil, nil, nil, nil, 0
		equal(t, "the rest", o, overview{State: "paused", Min: 1, Max: 300, Limit: 7})
	})
}

func TestDecisions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, collected := watched(t, taskmanager.WithWorkers(0, 5), taskmanager.WithIdleTimeout(time.Second))
		polled := show(t, dashboard.Manager("m", m))
		for i := range 600 {
			run(t, m, fmt.Sprint("task", i), succeed)
			time.Sleep(1100 * time.Millisecond) // the worker exits
		}
		synctest.Wait()
		type decisions struct {
			Decisions []struct {
				Number, Workers, Target int
				At                      float64
				Reason                  string
			}
			Forgotten int
		}
		made := m.Decisions()
		last := int(made[len(made)-1].Number)
		for name, d := range map[string]*dashboard.Dashboard{"with a collector": collected, "without": polled} {
			v := get[decisions](t, d, "decisions")
			equal(t, "decisions "+name, len(v.Decisions), 512)
			equal(t, "forgotten "+name, v.Forgotten, last-512)
			for i, d := range v.Decisions {
				if d.Number != last-i || d.At == 0 || d.Reason == "" {
					t.Fatalf("decision %d %s is %+v", i, name, d)
				}
			}
			series := get[struct{ Decisions []struct{ At float64 } }](t, d, "series?seconds=60").Decisions
			now := float64(time.Now().UnixMicro()) / 1e6
			if len(series) == 0 || series[0].At < now-60 || !slices.IsSortedFunc(series, func(a, b struct{ At float64 }) int { return cmp.Compare(a.At, b.At) }) {
				t.Errorf("the decisions of the last minute %s are %v", name, series)
			}
		}
	})
}

// When there are no more samples, what was recent becomes unknown.
func TestNothingIsRecentForEver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t)
		type recent struct{ Wait, Run []float64 }
		look := func() recent { return get[struct{ Recent recent }](t, d, "overview").Recent }
		zero, none := []float64{0, 0, 0}, []float64{-1, -1, -1}
		time.Sleep(half)
		run(t, m, "x", succeed, taskmanager.WithKey("a"))
		time.Sleep(time.Second)
		synctest.Wait()
		d.Close()
		time.Sleep(5 * time.Second)
		equal(t, "recently", look(), recent{zero, zero}, roughly)
		equal(t, "share", get[keys](t, d, "keys").Keys[0].Wait, zero, roughly)
		time.Sleep(10 * time.Second)
		equal(t, "ten seconds later", look(), recent{none, none})
		time.Sleep(time.Minute)
		equal(t, "the key", get[keys](t, d, "keys").Keys[0], key{"a", -1, 0, 1, 1, 0, -1, -1, none, none})
	})
}
