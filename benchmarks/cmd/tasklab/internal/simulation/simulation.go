// Package simulation presents how a workload fared under several settings of the
// manager: as tables, as JSON and as a chart.
package simulation

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// Simulation is the workload, what the settings have in common, and a result for
// each setting. It is an [output.Report].
type Simulation struct {
	Workload    string       `json:"workload"`
	RealTime    bool         `json:"real_time"`
	Partial     bool         `json:"partial"`
	Tasks       int          `json:"tasks"`
	Span        float64      `json:"span_s"`
	Work        float64      `json:"work_s"`
	IdleTimeout float64      `json:"idle_timeout_s"`
	Limit       int          `json:"limit"`
	Overflow    string       `json:"overflow"`
	Restart     string       `json:"restart"`
	Retries     int          `json:"retries"`
	Cores       int          `json:"cores"`
	Seed        uint64       `json:"seed"`
	Runs        int          `json:"runs"`
	Settings    []Result     `json:"settings"`
	Differences []Difference `json:"differences"`
}

// Result is what was measured under one setting.
type Result struct {
	Queue  string `json:"queue"`
	Scaler string `json:"scaler"`
	Min    int    `json:"min"`
	Max    int    `json:"max"`
	Figures
	WorkerSeconds float64    `json:"worker_seconds"`
	PeakWorkers   int        `json:"peak_workers"`
	Turns         int        `json:"turns"`
	Decisions     int        `json:"decisions"`
	Jain          float64    `json:"jain"`
	Elapsed       float64    `json:"elapsed_s"`
	Partial       bool       `json:"partial"`
	Keys          []Key      `json:"keys"`
	Kinds         []Kind     `json:"kinds"`
	Series        []Interval `json:"series"`
}

// Figures are what was measured of a group of tasks. Times are in seconds.
type Figures struct {
	Tasks       int     `json:"tasks"`
	Started     int     `json:"started"` // once or more
	Done        int     `json:"done"`
	Failed      int     `json:"failed"`
	Shed        int     `json:"shed"`
	Dropped     int     `json:"dropped"`
	Cancelled   int     `json:"cancelled"`
	Unfinished  int     `json:"unfinished"`
	Late        int     `json:"late"`
	Restarts    int     `json:"restarts"`
	WaitMean    float64 `json:"wait_mean_s"`
	WaitP50     float64 `json:"wait_p50_s"`
	WaitP95     float64 `json:"wait_p95_s"`
	WaitP99     float64 `json:"wait_p99_s"`
	WaitMax     float64 `json:"wait_max_s"`
	SojournMean float64 `json:"sojourn_mean_s"`
	SojournP99  float64 `json:"sojourn_p99_s"`
	RunMean     float64 `json:"run_mean_s"`
	SlowdownP50 float64 `json:"slowdown_p50"`
	SlowdownP99 float64 `json:"slowdown_p99"`
}

// Key is what was measured of the tasks with a key.
type Key struct {
	Key string `json:"key"`
	Figures
}

// Kind is what was measured of the tasks of a kind.
type Kind struct {
	Kind string `json:"kind"`
	Figures
}

// Interval is a part of the time of a simulation.
type Interval struct {
	At        float64 `json:"at_s"`
	Length    float64 `json:"length_s"`
	Arrivals  int     `json:"arrivals"`
	Offered   float64 `json:"offered"`
	Workers   float64 `json:"workers"`
	Busy      float64 `json:"busy"`
	Queued    float64 `json:"queued"`
	Started   int     `json:"started"`
	WaitMean  float64 `json:"wait_mean_s"`
	WaitMax   float64 `json:"wait_max_s"`
	Decisions int     `json:"decisions"`
	Target    int     `json:"target"`
	Reason    string  `json:"reason"`
}

// NewResult returns the result of a replay under a setting.
func NewResult(c settings.Candidate, r simulate.Report) Result {
	result := Result{
		Queue: c.Queue.Name, Scaler: c.Scaler.Name, Min: c.Min, Max: c.Max,
		Figures:       figures(r.Total),
		WorkerSeconds: r.WorkerTime,
		PeakWorkers:   r.PeakWorkers,
		Turns:         r.Turns,
		Decisions:     r.Decisions,
		Jain:          r.Jain,
		Elapsed:       r.Elapsed.Seconds(),
		Partial:       r.Partial,
		Keys:          []Key{}, // never null in JSON
		Kinds:         []Kind{},
		Series:        []Interval{},
	}
	for _, g := range r.Keys {
		result.Keys = append(result.Keys, Key{g.Name, figures(g)})
	}
	for _, g := range r.Kinds {
		result.Kinds = append(result.Kinds, Kind{g.Name, figures(g)})
	}
	for _, i := range r.Series {
		result.Series = append(result.Series, Interval{
			At: i.At.Seconds(), Length: i.Length.Seconds(), Arrivals: i.Arrivals, Offered: i.Offered,
			Workers: i.Workers, Busy: i.Busy, Queued: i.Queued, Started: i.Started,
			WaitMean: i.MeanWait.Seconds(), WaitMax: i.MaxWait.Seconds(),
			Decisions: i.Decisions, Target: i.Decision.Target, Reason: i.Decision.Reason,
		})
	}
	return result
}

// figures returns the figures of a group.
func figures(g simulate.Group) Figures {
	return Figures{
		Tasks: g.Jobs, Started: g.Wait.Count(), Done: g.Done, Failed: g.Failed, Shed: g.Shed, Dropped: g.Dropped,
		Cancelled: g.Cancelled, Unfinished: g.Unfinished, Late: g.Late, Restarts: g.Restarts,
		WaitMean:    g.Wait.Mean().Seconds(),
		WaitP50:     g.Wait.Percentile(50).Seconds(),
		WaitP95:     g.Wait.Percentile(95).Seconds(),
		WaitP99:     g.Wait.Percentile(99).Seconds(),
		WaitMax:     g.Wait.Max().Seconds(),
		SojournMean: g.Sojourn.Mean().Seconds(),
		SojournP99:  g.Sojourn.Percentile(99).Seconds(),
		RunMean:     g.Run.Mean().Seconds(),
		SlowdownP50: g.Slowdown.Percentile(50),
		SlowdownP99: g.Slowdown.Percentile(99),
	}
}

// Labels names each setting by what differs between the settings.
func (s Simulation) Labels() []string {
	several := func(of func(r Result) string) bool {
		for _, r := range s.Settings {
			if of(r) != of(s.Settings[0]) {
				return true
			}
		}
		return false
	}
	parts := []func(Result) string{queueOf, scalerOf, boundsOf}
	labels := make([]string, len(s.Settings))
	for _, part := range parts {
		if !several(part) {
			continue
		}
		for i, r := range s.Settings {
			if labels[i] != "" {
				labels[i] += ", "
			}
			labels[i] += part(r)
		}
	}
	for i, r := range s.Settings {
		if labels[i] == "" {
			labels[i] = r.Scaler // there is only one setting
		}
	}
	return labels
}

func queueOf(r Result) string { return r.Queue }

func scalerOf(r Result) string { return r.Scaler }

func boundsOf(r Result) string { return fmt.Sprintf("%d–%d", r.Min, r.Max) }

// same returns the value that all settings have in common, after a prefix, or "".
func (s Simulation) same(prefix string, of func(r Result) string) string {
	for _, r := range s.Settings {
		if of(r) != of(s.Settings[0]) {
			return ""
		}
	}
	if len(s.Settings) == 0 {
		return ""
	}
	return prefix + of(s.Settings[0])
}

// load describes the size of the workload.
func (s Simulation) load() string {
	text := output.Count(s.Tasks, "task") + fmt.Sprintf(" (seed %d) in %s", s.Seed, output.Short(measure.Seconds(s.Span)))
	if s.Span > 0 {
		text += fmt.Sprintf(", which would keep %.3g workers busy on average", s.Work/s.Span)
	}
	if s.Cores > 0 {
		text += fmt.Sprintf("; cores: %d", s.Cores)
	}
	return text
}

// common describes what the settings have in common.
func (s Simulation) common() string {
	limit := "no limit"
	if s.Limit > 0 {
		limit = output.English().Sprintf("limit %d, overflow %s", s.Limit, s.Overflow)
	}
	text := fmt.Sprintf("idle timeout %v; %s", measure.Seconds(s.IdleTimeout), limit)
	text += s.same("; workers ", boundsOf) + s.same("; queue ", queueOf) + s.same("; scaler ", scalerOf)
	for _, r := range s.Settings {
		if r.Restarts+r.Failed > 0 {
			return text + fmt.Sprintf("; restart %s, up to %d times a task", s.Restart, s.Retries)
		}
	}
	return text
}

// title returns the first line of tables and charts.
func (s Simulation) title() string {
	title := "tasklab simulate"
	if s.RealTime {
		title += " -real"
	}
	if s.Partial {
		title += " (partial: interrupted)"
	}
	return title + ": " + s.Workload
}

// InFull returns how many settings were simulated in full.
func (s Simulation) InFull() (n int) {
	for _, r := range s.Settings {
		if !r.Partial {
			n++
		}
	}
	return n
}

// short formats a number of seconds. Some nanoseconds are none: tasks that arrive at
// the same time are submitted so far apart.
func short(seconds float64) string {
	d := measure.Seconds(seconds)
	if d < 500*time.Nanosecond {
		d = 0
	}
	return output.Short(d)
}
