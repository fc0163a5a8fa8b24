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
	Entries           []entry
}

// entry has the results of one contender in a workload.
type entry struct {
	Contender string
	Service   contest.Service
	Ours      bool
	Rounds    []contest.Measure
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

func summarise(rounds []contest.Measure, number func(contest.Measure) float64) summary {
	var values []float64
	for _, m := range rounds {
		values = append(values, number(m))
	}
	sample := benchmath.NewSample(values, &benchmath.DefaultThresholds)
	return summary{benchmath.AssumeNothing.Summary(sample, 0.95), sample}
}

// time summarises the nanoseconds per task, or the median latency.
func (e entry) time() summary {
	return summarise(e.Rounds, func(m contest.Measure) float64 {
		if m.Latencies != nil {
			return m.Latencies.P50 * 1e9
		}
		return m.PerTask()
	})
}

// median returns the median of a number over the rounds.
func (e entry) median(number func(contest.Measure) float64) float64 {
	return summarise(e.Rounds, number).Center
}

func (e entry) allocs() float64 {
	return e.median(func(m contest.Measure) float64 { return float64(m.Allocs) / float64(m.Tasks) })
}

func (e entry) bytes() float64 {
	return e.median(func(m contest.Measure) float64 { return float64(m.Bytes) / float64(m.Tasks) })
}

func (e entry) peakMiB() float64 {
	return e.median(func(m contest.Measure) float64 { return float64(m.PeakBytes) / (1 << 20) })
}

func (e entry) peakGoroutines() float64 {
	return e.median(func(m contest.Measure) float64 { return float64(m.PeakGoroutines) })
}

func (e entry) latency(of func(contest.Latencies) float64) float64 {
	return e.median(func(m contest.Measure) float64 { return of(*m.Latencies) * 1e6 })
}

// ratio returns the median of the ratios to another contender in each round.
func (e entry) ratio(to entry) float64 {
	var ratios []float64
	for i, m := range e.Rounds {
		n := to.Rounds[i]
		if m.Latencies != nil {
			ratios = append(ratios, m.Latencies.P50/n.Latencies.P50)
		} else {
			ratios = append(ratios, m.PerTask()/n.PerTask())
		}
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
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

// bySpeed returns the contenders, fastest first.
func (t table) bySpeed() []entry {
	return slices.SortedFunc(slices.Values(t.Entries), func(a, b entry) int { return cmp.Compare(a.time().Center, b.time().Center) })
}

// table returns the table of a workload.
func (r results) table(workload string) (table, bool) {
	i := slices.IndexFunc(r.Tables, func(t table) bool { return t.Workload == workload })
	if i < 0 {
		return table{}, false
	}
	return r.Tables[i], true
}
