package simulation

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// The chart has a row for each setting, with a panel for the waits and one for the
// workers. All rows have the same axes. Lengths are in points.
//
// Texts that may be long have lines of their own. The viewer of an SVG may lack the
// fonts for which their widths are known, and another font must not make texts
// overlap.
const (
	headHeight = 72 // of the title and the column headings
	rowHeight  = 76
	rowHeading = 33 // of the setting and the caption below it
	footHeight = 34 // of the axes below

	// mostRows is how many settings the chart shows.
	mostRows = 8
)

// chartFormat returns the extension of a file name, which selects the format.
func chartFormat(name string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
}

// CheckChart adds a fault if the chart cannot be written to a file, so that the
// user learns of it before the simulations.
func CheckChart(f *flagvalue.Faults, name string) {
	if !slices.Contains([]string{"svg", "png"}, chartFormat(name)) {
		f.Add("-chart: %s ends neither in .svg nor in .png", name)
		return
	}
	_, missing := os.Stat(name)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err == nil {
		err = file.Close()
	}
	if err == nil && errors.Is(missing, fs.ErrNotExist) { // there may never be a chart
		err = os.Remove(name)
	}
	if err != nil {
		f.Add("-chart: %w", err)
	}
}

// WriteChart draws the simulation to a file.
func (s Simulation) WriteChart(name string) error {
	rows := min(len(s.Settings), mostRows)
	height := vg.Length(headHeight + rows*(rowHeight+rowHeading) + footHeight)
	drawn, err := charts.Render(height, chartFormat(name), s.draw)
	if err == nil {
		err = os.WriteFile(name, drawn, 0o666)
	}
	if err != nil {
		return fmt.Errorf("-chart: %w", err)
	}
	return nil
}

// draw draws the chart.
func (s Simulation) draw(canvas draw.Canvas) {
	labels := s.Labels()
	results := s.Settings[:min(len(s.Settings), mostRows)]
	scale := scalesOf(results)
	rows := make([][]*plot.Plot, len(results))
	for i, r := range results {
		last := i == len(results)-1
		rows[i] = []*plot.Plot{waitPanel(r, charts.Colour(i), scale, last), workersPanel(r, charts.Colour(i), scale, last)}
	}
	tiles := draw.Tiles{
		Rows: len(rows), Cols: len(rows[0]),
		PadTop: headHeight + rowHeading, PadY: rowHeading, PadX: 26, PadLeft: 14, PadRight: 16, PadBottom: 8,
	}
	panels := plot.Align(rows, tiles, canvas)
	for i, row := range rows {
		for j, p := range row {
			p.Draw(panels[i][j])
		}
	}

	write := func(x, y vg.Length, style text.Style, s string) { canvas.FillText(style, vg.Point{X: x, Y: y}, s) }
	left, top := panels[0][0].Min.X, canvas.Max.Y
	write(left, top-20, charts.Lettering(11, charts.Ink, true), s.title())
	write(left, top-33, charts.Lettering(8, charts.Pencil, false), s.load())
	write(left, top-44, charts.Lettering(8, charts.Pencil, false), s.common()+s.more())
	for j, heading := range []string{
		"how long tasks waited (line: mean; area: longest; log scale)",
		"workers (grey: as many as the load needs)",
	} {
		area := rows[0][j].DataCanvas(panels[0][j])
		write(area.Min.X, top-headHeight+4, charts.Lettering(8.5, charts.Ink, true), heading)
	}
	for i, r := range results {
		y := panels[i][0].Max.Y + 18
		canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Colour(i), Radius: 4, Shape: draw.BoxGlyph{}}, vg.Point{X: left + 4, Y: y + 3.5})
		write(left+12, y, charts.Lettering(9.5, charts.Ink, true), labels[i])
		for j, caption := range []string{r.waits(), r.cost()} {
			write(rows[0][j].DataCanvas(panels[0][j]).Min.X, y-11, charts.Lettering(8, charts.Pencil, false), caption)
		}
		write(rows[0][1].DataCanvas(panels[0][1]).Min.X, y, charts.Lettering(8, charts.Pencil, false), r.losses())
	}
}

// more says which settings the chart does not show.
func (s Simulation) more() string {
	if len(s.Settings) <= mostRows {
		return ""
	}
	return fmt.Sprintf("; the first %d of %d settings", mostRows, len(s.Settings))
}

// waits describes the waits in words.
func (r Result) waits() string {
	return fmt.Sprintf("waits: p50 %s, p95 %s, p99 %s, longest %s", short(r.WaitP50), short(r.WaitP95), short(r.WaitP99), short(r.WaitMax))
}

// cost describes the workers in words.
func (r Result) cost() string {
	return output.English().Sprintf("at most %d workers, %s worker-seconds, turns: %d", r.PeakWorkers, seconds(r.WorkerSeconds), r.Turns)
}

// losses describes in words which tasks did not succeed.
func (r Result) losses() string {
	var all []string
	for _, one := range []struct {
		n      int
		became string
	}{{r.Failed, "failed"}, {r.Shed, "shed"}, {r.Dropped, "dropped"}, {r.Unfinished, "unfinished"}} {
		if one.n > 0 {
			all = append(all, output.English().Sprintf("%s: %d", one.became, one.n))
		}
	}
	return strings.Join(all, ", ")
}

// scales has the ends of the axes.
type scales struct {
	time        float64 // in the unit
	unit        timeUnit
	workers     float64
	least, most float64 // waits in seconds; shorter ones are drawn as the least
}

const (
	// shortest is the least wait at the top of a chart, in seconds: a logarithmic axis
	// has no 0.
	shortest = 1e-3
	// decades is how many powers of ten the axis of the waits has. Shorter waits hardly
	// matter beside the longest.
	decades = 4
)

// timeUnit is the unit of the time axis.
type timeUnit struct {
	name    string
	seconds float64
}

// unitOf returns the unit for a number of seconds, which keeps labels short.
func unitOf(seconds float64) timeUnit {
	switch {
	case seconds <= 900:
		return timeUnit{"seconds", 1}
	case seconds <= 900*60:
		return timeUnit{"minutes", 60}
	default:
		return timeUnit{"hours", 3600}
	}
}

// in returns intervals with times in the unit.
func (u timeUnit) in(series []Interval) []Interval {
	converted := slices.Clone(series)
	for i := range converted {
		converted[i].At /= u.seconds
		converted[i].Length /= u.seconds
	}
	return converted
}

func scalesOf(results []Result) scales {
	s := scales{time: 1e-9, workers: 1, most: shortest}
	for _, r := range results {
		s.time = max(s.time, r.Elapsed)
		for _, i := range coarse(r.Series, lineSteps) {
			s.workers = max(s.workers, i.Workers)
			s.most = max(s.most, i.WaitMax)
		}
		for _, i := range coarse(r.Series, offeredSteps) {
			s.workers = max(s.workers, i.Offered)
		}
	}
	s.unit = unitOf(s.time)
	s.time /= s.unit.seconds
	s.least = math.Pow(10, math.Ceil(math.Log10(s.most))-decades)
	s.most *= 1.3
	return s
}
