// Package comparison presents how a workload fared under several settings of the
// manager: as a table, as JSON and as a chart.
package comparison

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
)

// Comparison is the workload, what the settings have in common, and a
// measurement for each setting. It is an [output.Report].
type Comparison struct {
	Dir            string        `json:"dir"`
	Shape          string        `json:"shape"`
	Rate           float64       `json:"rate_per_s"`
	Service        float64       `json:"service_ms"`
	Duration       float64       `json:"duration_s"`
	Seed           uint64        `json:"seed"`
	CPU            bool          `json:"cpu"`
	Tasks          int           `json:"tasks"`
	WorkersMin     int           `json:"workers_min"`
	WorkersMax     int           `json:"workers_max"`
	IdleTimeout    float64       `json:"idle_timeout_s"`
	Limit          int           `json:"limit"`
	Overflow       string        `json:"overflow"`
	SampleInterval float64       `json:"sample_interval_ms"`
	Interrupted    bool          `json:"interrupted"`
	Settings       []Measurement `json:"settings"`

	Title           string           `json:"-"`
	Offered         []workload.Point `json:"-"` // nil if unknown
	Queues, Scalers int              `json:"-"` // how many are compared
}

// Measurement is what was measured under one setting.
type Measurement struct {
	Queue         string   `json:"queue"`
	Scaler        string   `json:"scaler"`
	Tasks         int      `json:"tasks"` // submitted
	Done          int      `json:"done"`
	Failed        int      `json:"failed"`
	Shed          int      `json:"shed"`
	Dropped       int      `json:"dropped"`
	Unfinished    int      `json:"unfinished"`
	Late          int      `json:"late"`
	Elapsed       float64  `json:"elapsed_s"`
	WaitP50       float64  `json:"queue_wait_p50_ms"`
	WaitP95       float64  `json:"queue_wait_p95_ms"`
	WaitP99       float64  `json:"queue_wait_p99_ms"`
	RunP50        float64  `json:"run_time_p50_ms"`
	MeanWorkers   float64  `json:"mean_workers"`
	PeakWorkers   int      `json:"peak_workers"`
	WorkerSeconds float64  `json:"worker_s"`
	Turns         int      `json:"turns"`
	Lag           float64  `json:"lag_ms"`
	Samples       []Sample `json:"samples"`
}

// Sample is the state of a manager at one moment.
type Sample struct {
	At      float64 `json:"at_s"`
	Workers int     `json:"workers"`
	Busy    int     `json:"busy"`
	Queued  int     `json:"queued"`
}

// Label names a setting by what differs between the settings.
func (c Comparison) Label(queue, scaler string) string {
	switch {
	case c.Queues == 1:
		return scaler
	case c.Scalers == 1:
		return queue
	default:
		return queue + ", " + scaler
	}
}

// common describes what the settings have in common.
func (c Comparison) common() string {
	also := ""
	if len(c.Settings) > 0 {
		switch s := c.Settings[0]; {
		case c.Queues == 1:
			also = "; queue " + s.Queue
		case c.Scalers == 1:
			also = "; scaler " + s.Scaler
		}
	}
	return output.English().Sprintf("%d to %d workers, idle timeout %v; limit %d, overflow %s%s",
		c.WorkersMin, c.WorkersMax, measure.Seconds(c.IdleTimeout), c.Limit, c.Overflow, also)
}

// Text returns the table.
func (c Comparison) Text() string {
	count := output.English().Sprint
	title := "tasklab compare: " + c.Title
	if c.Interrupted {
		title += " (interrupted)"
	}
	t := output.NewTable(title + "\n" + c.common())
	t.SuppressEmptyColumns()
	header := table.Row{
		"setting", "done", "failed", "shed", "dropped", "unfinished", "late", "elapsed",
		"wait p50", "p95", "p99", "run p50", "workers", "peak", "worker-s", "turns", "lag",
	}
	t.AppendHeader(header)
	for _, m := range c.Settings {
		lag := ""
		if c.Dir == "" {
			lag = output.ShortMilliseconds(m.Lag)
		}
		t.AppendRow(table.Row{
			c.Label(m.Queue, m.Scaler), count(m.Done),
			output.NonZero(m.Failed), output.NonZero(m.Shed), output.NonZero(m.Dropped), output.NonZero(m.Unfinished),
			count(m.Late), output.Short(measure.Seconds(m.Elapsed)),
			output.ShortMilliseconds(m.WaitP50), output.ShortMilliseconds(m.WaitP95), output.ShortMilliseconds(m.WaitP99),
			output.ShortMilliseconds(m.RunP50), fmt.Sprintf("%.1f", m.MeanWorkers), count(m.PeakWorkers),
			fmt.Sprintf("%.1f", m.WorkerSeconds), count(m.Turns), lag,
		})
	}
	t.SetColumnConfigs(output.NumericColumns(2, len(header)))
	return t.Render() + "\n"
}

// Lagging describes the settings under which submits were notably late.
func (c Comparison) Lagging() (remarks []string) {
	const notable = 50 // ms; timers and busy processors cause less
	for _, m := range c.Settings {
		if m.Lag >= notable {
			remarks = append(remarks, fmt.Sprintf("under %s tasks were submitted up to %s late, as the queue was full or the processors were busy; raise -limit, or lower -rate",
				c.Label(m.Queue, m.Scaler), output.ShortMilliseconds(m.Lag)))
		}
	}
	return remarks
}

// AnyFailed reports whether a task failed.
func (c Comparison) AnyFailed() bool {
	return slices.ContainsFunc(c.Settings, func(m Measurement) bool { return m.Failed > 0 })
}

// InFull returns how many settings were measured without an interrupt.
func (c Comparison) InFull() (n int) {
	for _, m := range c.Settings {
		if m.Tasks == c.Tasks && m.Unfinished == 0 {
			n++
		}
	}
	return n
}
