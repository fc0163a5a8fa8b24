package compare

import (
	"context"
	"fmt"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// setting is one of the settings that are compared.
type setting struct {
	queue  flagvalue.Setting[taskmanager.Discipline]
	scaler flagvalue.Setting[settings.NewScaler]
}

// settings returns all combinations.
func (c *command) settings() (all []setting) {
	for _, q := range c.queues.Chosen {
		for _, s := range c.scalers.Chosen {
			all = append(all, setting{q, s})
		}
	}
	return all
}

// compare measures the workload under each setting. If ctx ends, the result
// covers what was measured until then.
func (c *command) compare(ctx context.Context, w workload.Workload, screen func() progress.Display) (result comparison.Comparison, err error) {
	result = c.describe(w)
	all := c.settings()
	for i, s := range all {
		if ctx.Err() != nil || err != nil {
			break
		}
		var m comparison.Measurement
		label := fmt.Sprintf("%d of %d, %s", i+1, len(all), result.Label(s.queue.Name, s.scaler.Name))
		m, err = run(ctx, c.manager, s, w, label, screen())
		if err == nil || ctx.Err() != nil {
			result.Settings = append(result.Settings, m)
		}
	}
	result.Interrupted = ctx.Err() != nil
	return result, err
}

// describe returns a comparison without measurements.
func (c *command) describe(w workload.Workload) comparison.Comparison {
	d := comparison.Comparison{
		Dir:            c.dir,
		Tasks:          w.Tasks(),
		WorkersMin:     c.manager.Min,
		WorkersMax:     c.manager.Max,
		IdleTimeout:    c.manager.IdleTimeout.Seconds(),
		Limit:          c.manager.Limit,
		Overflow:       c.manager.Overflow.Name,
		SampleInterval: measure.Milliseconds(w.Interval()),
		Settings:       []comparison.Measurement{}, // never null in JSON
		Title:          "the files below " + output.Printable(c.dir),
		Offered:        w.Offered(),
		Queues:         len(c.queues.Chosen),
		Scalers:        len(c.scalers.Chosen),
	}
	if c.dir == "" {
		s := &c.synthetic
		d.Title = s.String()
		d.Shape, d.Rate, d.Service, d.Duration, d.Seed, d.CPU =
			s.Shape.Name, s.Rate, measure.Milliseconds(s.Service), s.Duration.Seconds(), s.Seed, s.CPU
	}
	return d
}
