package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// comparison is the result of the command compare. Its form in JSON is an interface
// for other programs, which the documentation of the program describes.
type comparison struct {
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
	Settings       []measurement `json:"settings"`

	title           string
	offered         []point
	queues, scalers int // that are compared
}

func newComparison(cfg compareConfig, w workload) comparison {
	c := comparison{
		Dir:            cfg.dir,
		Tasks:          w.tasks(),
		WorkersMin:     cfg.min,
		WorkersMax:     cfg.max,
		IdleTimeout:    cfg.idleTimeout.Seconds(),
		Limit:          cfg.limit,
		Overflow:       cfg.overflow.name,
		SampleInterval: milliseconds(w.interval()),
		Settings:       []measurement{}, // never null in JSON
		title:          cfg.title(),
		offered:        w.offered(),
		queues:         len(cfg.queues.chosen),
		scalers:        len(cfg.scalers.chosen),
	}
	if s := cfg.synth; cfg.dir == "" {
		c.Shape, c.Rate, c.Service, c.Duration, c.Seed, c.CPU =
			s.shape.name, s.rate, milliseconds(s.service), s.duration.Seconds(), s.seed, s.cpu
	}
	return c
}

// label is the name of a setting: that in which it differs from others.
func (c comparison) label(queue, scaler string) string {
	switch {
	case c.queues == 1:
		return scaler
	case c.scalers == 1:
		return queue
	default:
		return queue + ", " + scaler
	}
}

// same is the rest of what the setting is.
func (c comparison) same() string {
	also := ""
	if len(c.Settings) > 0 {
		switch s := c.Settings[0]; {
		case c.queues == 1:
			also = "; queue " + s.Queue
		case c.scalers == 1:
			also = "; scaler " + s.Scaler
		}
	}
	return english().Sprintf("%d to %d workers, idle timeout %v; limit %d, overflow %s%s",
		c.WorkersMin, c.WorkersMax, seconds(c.IdleTimeout), c.Limit, c.Overflow, also)
}

// deliver writes the comparison to where the flags say.
func (c comparison) deliver(cfg compareConfig, w io.Writer) error {
	var err error
	if cfg.json {
		err = writeJSON(w, c)
	} else if _, err = io.WriteString(w, c.table().Render()+"\n"); err != nil {
		err = fmt.Errorf("tasklab: write the report: %w", err)
	}
	if cfg.chart != "" && len(c.Settings) > 0 {
		err = errors.Join(err, c.writeChart(cfg.chart))
	}
	return err
}

// table is the comparison for people.
func (c comparison) table() table.Writer {
	count := english().Sprint
	title := "tasklab compare: " + c.title
	if c.Interrupted {
		title += " (interrupted)"
	}
	t := newTable(title + "\n" + c.same())
	t.SuppressEmptyColumns()
	header := table.Row{
		"setting", "done", "failed", "shed", "dropped", "unfinished", "late", "elapsed",
		"wait p50", "p95", "p99", "run p50", "workers", "peak", "worker-s", "turns", "lag",
	}
	t.AppendHeader(header)
	for _, m := range c.Settings {
		lag := ""
		if c.Dir == "" {
			lag = fromMilliseconds(m.Lag)
		}
		t.AppendRow(table.Row{
			c.label(m.Queue, m.Scaler), count(m.Done), unusual(m.Failed), unusual(m.Shed), unusual(m.Dropped), unusual(m.Unfinished),
			count(m.Late), short(seconds(m.Elapsed)),
			fromMilliseconds(m.WaitP50), fromMilliseconds(m.WaitP95), fromMilliseconds(m.WaitP99), fromMilliseconds(m.RunP50),
			fmt.Sprintf("%.1f", m.MeanWorkers), count(m.PeakWorkers), fmt.Sprintf("%.1f", m.WorkerSeconds), count(m.Turns), lag,
		})
	}
	t.SetColumnConfigs(numeric(2, len(header)))
	return t
}

// lagging describes the settings under which tasks were submitted notably late.
func (c comparison) lagging() (remarks []string) {
	const notable = 50 // ms; timers and busy processors make for less
	for _, m := range c.Settings {
		if m.Lag >= notable {
			remarks = append(remarks, fmt.Sprintf("under %s tasks were submitted up to %s late, as the queue was full or the processors were busy; raise -limit, or lower -rate",
				c.label(m.Queue, m.Scaler), fromMilliseconds(m.Lag)))
		}
	}
	return remarks
}

// failed reports whether a task has failed.
func (c comparison) failed() bool {
	return slices.ContainsFunc(c.Settings, func(m measurement) bool { return m.Failed > 0 })
}

// inFull is how many settings were measured without an interrupt.
func (c comparison) inFull() (n int) {
	for _, m := range c.Settings {
		if m.Tasks == c.Tasks && m.Unfinished == 0 {
			n++
		}
	}
	return n
}

// seconds is a duration of so many.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
