package simulation

import (
	"fmt"
	"math"

	"github.com/jedib0t/go-pretty/v6/table"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Difference is how the figures of a setting differ from those of the first
// setting, over several runs. In each run, both settings had the same tasks.
type Difference struct {
	Queue  string             `json:"queue"`
	Scaler string             `json:"scaler"`
	Min    int                `json:"min"`
	Max    int                `json:"max"`
	Of     []FigureDifference `json:"figures"`
}

// FigureDifference is the difference of one figure.
type FigureDifference struct {
	Figure string `json:"figure"`
	// Mean is the mean of the figure over the runs.
	Mean float64 `json:"mean"`
	// Difference is the mean of the difference from the first setting, and with a
	// probability of 95 % its expectation is at most HalfWidth away.
	Difference float64 `json:"difference"`
	HalfWidth  float64 `json:"half_width"`
}

// compared are the figures whose differences are shown. Their names are those of
// the JSON form.
var compared = []struct {
	name, heading string
	of            func(r Result) float64
	format        func(v float64) string
}{
	{"wait_mean_s", "wait mean", func(r Result) float64 { return r.WaitMean }, short},
	{"wait_p50_s", "p50", func(r Result) float64 { return r.WaitP50 }, short},
	{"wait_p99_s", "p99", func(r Result) float64 { return r.WaitP99 }, short},
	{"sojourn_p99_s", "sojourn p99", func(r Result) float64 { return r.SojournP99 }, short},
	{"worker_seconds", "worker-s", func(r Result) float64 { return r.WorkerSeconds }, seconds},
	{"late", "late", func(r Result) float64 { return float64(r.Late) }, func(v float64) string { return fmt.Sprintf("%.1f", v) }},
	{"jain", "jain", func(r Result) float64 { return r.Jain }, func(v float64) string { return fmt.Sprintf("%.3f", v) }},
}

// Differ returns the differences from the first setting. The results are those of
// each setting in each run; those of a setting are compared run by run.
func Differ(results [][]Result) []Difference {
	differences := []Difference{} // never null in JSON
	if len(results) < 1 || len(results[0]) < 2 {
		return differences
	}
	for _, runs := range results {
		d := Difference{Queue: runs[0].Queue, Scaler: runs[0].Scaler, Min: runs[0].Min, Max: runs[0].Max}
		for _, c := range compared {
			values, pairs := make([]float64, len(runs)), make([]float64, len(runs))
			for i, r := range runs {
				values[i] = c.of(r)
				pairs[i] = c.of(r) - c.of(results[0][i])
			}
			mean, half := confidence(pairs)
			d.Of = append(d.Of, FigureDifference{c.name, stat.Mean(values, nil), mean, half})
		}
		differences = append(differences, d)
	}
	return differences
}

// confidence returns the mean of a sample, and half the width of the interval that
// contains the expectation with a probability of 95 %, by Student's distribution.
func confidence(sample []float64) (mean, half float64) {
	mean, deviation := stat.MeanStdDev(sample, nil)
	n := float64(len(sample))
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975)
	return mean, t * deviation / math.Sqrt(n)
}

// differenceTable has a row for each setting.
func (s Simulation) differenceTable() table.Writer {
	labels := s.Labels()
	t := output.NewTable(fmt.Sprintf("differences from %s, with 95%% confidence intervals\nmeans of %d runs, seeds %d to %d",
		labels[0], s.Runs, s.Seed, s.Seed+uint64(s.Runs)-1))
	header := table.Row{"setting"}
	for _, c := range compared {
		header = append(header, c.heading)
	}
	t.AppendHeader(header)
	for i, d := range s.Differences {
		row := table.Row{labels[i]}
		for j, f := range d.Of {
			format := compared[j].format
			cell := format(f.Mean)
			if i > 0 {
				cell = signed(format, f.Difference) + " ± " + format(f.HalfWidth)
			}
			if i > 0 && f.Difference == 0 && f.HalfWidth == 0 {
				cell = "same"
			}
			row = append(row, cell)
		}
		t.AppendRow(row)
	}
	t.SetColumnConfigs(output.NumericColumns(2, len(header)))
	return t
}

// signed formats a difference with its sign.
func signed(format func(float64) string, v float64) string {
	if v < 0 {
		return "−" + format(-v)
	}
	return "+" + format(v)
}
