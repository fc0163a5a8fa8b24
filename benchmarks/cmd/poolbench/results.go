package main

import (
	"cmp"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/seed56799101/taskmanager/benchmarks/internal/contest"
)

// results has everything that was measured.
type results struct {
	About
	Quick   bool
	Elapsed float64 // seconds
	Tables  []table
}

// About says where and when it was measured.
type About struct {
	Begun     time.Time
	Go        string
	Platform  string
	Processor string
	Procs     int
	Modules   map[string]string // versions of the peers
}

// table has the results of one workload.
type table struct {
	Workload, About   string
	Latency, Isolated bool
	Beside            int // outstanding tasks at a time in the second part of each measurement, if there is one
	Entries           []entry
	Others            *float64 `json:",omitempty"` // share of the processors that other programs used; negative: unknown
}

// entry has the results of one contender in a workload.
type entry struct {
	Contender string
	Service   contest.Service
	Ours      bool
	Rounds    []measurement
}

// peerModules are the modules whose versions the report lists.
var peerModules = []string{
	"github.com/alitto/pond/v2", "github.com/gammazero/workerpool", "github.com/panjf2000/ants/v2",
	"github.com/sourcegraph/conc", "golang.org/x/sync",
}

func aboutThis() About {
	a := About{
		Begun: time.Now(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Processor: processor(), Procs: runtime.GOMAXPROCS(0), Modules: make(map[string]string),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if slices.Contains(peerModules, m.Path) {
				a.Modules[m.Path] = m.Version
			}
		}
	}
	return a
}

// processor returns the name of the processor, if the system provides it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// summary summarises a number that was measured in each round, as benchstat does: the
// median and its 95 % confidence interval.
type summary struct {
	benchmath.Summary

	sample *benchmath.Sample
}

func summarise(rounds []measurement, number func(measurement) float64) summary {
	var values []float64
	for _, m := range rounds {
		values = append(values, number(m))
	}
	sample := benchmath.NewSample(values, &benchmath.DefaultThresholds)
	return summary{benchmath.AssumeNothing.Summary(sample, 0.95), sample}
}

// perTask returns the nanoseconds per task, or the median latency.
func perTask(m measurement) float64 {
	if m.Latencies != nil {
		return m.Latencies.P50 * 1e9
	}
	return m.PerTask()
}

// The other numbers of a measurement.
func allocsPerTask(m measurement) float64  { return float64(m.Allocs) / float64(m.Tasks) }
func bytesPerTask(m measurement) float64   { return float64(m.Bytes) / float64(m.Tasks) }
func peakMiB(m measurement) float64        { return float64(m.PeakBytes) / (1 << 20) }
func peakGoroutines(m measurement) float64 { return float64(m.PeakGoroutines) }
func p50(m measurement) float64            { return m.Latencies.P50 * 1e6 } // microseconds
func p99(m measurement) float64            { return m.Latencies.P99 * 1e6 }
func p999(m measurement) float64           { return m.Latencies.P999 * 1e6 }
func beside(m measurement) float64         { return m.Seconds / m.Beside }

// time summarises the nanoseconds per task, or the median latency.
func (e entry) time() summary { return summarise(e.Rounds, perTask) }

// median returns the median of a number over the rounds.
func (e entry) median(number func(measurement) float64) float64 {
	return summarise(e.Rounds, number).Center
}

// ratio returns the median of the ratios to another contender, in the rounds in which both were
// measured in the same state. It returns false if there is none.
func (e entry) ratio(to entry, number func(measurement) float64) (float64, bool) {
	var ratios []float64
	for _, m := range e.Rounds {
		i := slices.IndexFunc(to.Rounds, func(n measurement) bool { return n.Round == m.Round && m.comparable(n) })
		if i >= 0 {
			ratios = append(ratios, number(m)/number(to.Rounds[i]))
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2], true
}

// differs reports whether the times of two contenders differ significantly.
func (e entry) differs(from entry) bool {
	a, b := e.time().sample, from.time().sample
	return benchmath.AssumeNothing.Compare(a, b).P < benchmath.DefaultThresholds.CompareAlpha
}

// of returns the entry of a contender.
func (t table) of(name string) (entry, bool) {
	i := slices.IndexFunc(t.Entries, func(e entry) bool { return e.Contender == name })
	if i < 0 {
		return entry{}, false
	}
	return t.Entries[i], true
}

// bySpeed returns the contenders, fastest first in the state with most measurements.
func (t table) bySpeed() []entry {
	v := t.views()[0]
	speed := func(e entry) float64 {
		e, _ = v.of(e.Contender)
		return e.time().Center
	}
	return slices.SortedFunc(slices.Values(t.Entries), func(a, b entry) int { return cmp.Compare(speed(a), speed(b)) })
}

// table returns the table of a workload.
func (r results) table(workload string) (table, bool) {
	i := slices.IndexFunc(r.Tables, func(t table) bool { return t.Workload == workload })
	if i < 0 {
		return table{}, false
	}
	return r.Tables[i], true
}
