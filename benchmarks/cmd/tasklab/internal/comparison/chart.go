package comparison

import (
	"fmt"
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

// The chart has a row for each setting, and columns for the workers, the queue and
// the waits. All rows have the same axes. Lengths are in points.
//
// Texts that may be long have lines of their own. The viewer of an SVG may lack the fonts
// for which their widths are known, and another font must not make texts overlap.
const (
	headHeight = 58 // of the title and the column headings
	rowHeight  = 72
	rowHeading = 31 // of the setting and the caption below it
	footHeight = 34 // of the axes below
)

// chartFormat returns the extension of a file name, which selects the format.
func chartFormat(name string) string {
	return strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
}

// CheckChart adds a fault if the chart cannot be written to a file, so that the
// user learns of it before the measurements.
func CheckChart(f *flagvalue.Faults, name string) {
	if !slices.Contains([]string{"svg", "png"}, chartFormat(name)) {
		f.Add("-chart: %s ends neither in .svg nor in .png", name)
		return
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		f.Add("-chart: %w", err)
	}
}

// WriteChart draws the comparison to a file.
func (c Comparison) WriteChart(name string) error {
	height := vg.Length(headHeight + len(c.Settings)*(rowHeight+rowHeading) + footHeight)
	drawn, err := charts.Render(height, chartFormat(name), c.draw)
	if err == nil {
		err = os.WriteFile(name, drawn, 0o666)
	}
	if err != nil {
		return fmt.Errorf("tasklab: -chart: %w", err)
	}
	return nil
}

// draw draws the chart.
func (c Comparison) draw(canvas draw.Canvas) {
	scale := c.scales()
	rows := make([][]*plot.Plot, len(c.Settings))
	for i, m := range c.Settings {
		last := i == len(c.Settings)-1
		rows[i] = []*plot.Plot{
			c.workersPanel(m, charts.Colour(i), scale, last),
			queuePanel(m, charts.Colour(i), scale, last),
			waitPanel(m, charts.Colour(i), scale, last),
		}
	}
	tiles := draw.Tiles{
		Rows: len(rows), Cols: len(rows[0]),
		PadTop: headHeight + rowHeading, PadY: rowHeading, PadX: 22, PadLeft: 14, PadRight: 16, PadBottom: 8,
	}
	panels := plot.Align(rows, tiles, canvas)
	for i, row := range rows {
		for j, p := range row {
			p.Draw(panels[i][j])
		}
	}

	write := func(x, y vg.Length, style text.Style, s string) { canvas.FillText(style, vg.Point{X: x, Y: y}, s) }
	left, top := panels[0][0].Min.X, canvas.Max.Y
	write(left, top-20, charts.Lettering(11, charts.Ink, true), strings.ToUpper(c.Title[:1])+c.Title[1:])
	write(left, top-33, charts.Lettering(8, charts.Pencil, false), c.common())
	for j, heading := range []string{"workers" + c.legend(), "tasks that wait for a worker", "wait in the queue (log scale)"} {
		area := rows[0][j].DataCanvas(panels[0][j])
		write(area.Min.X, top-headHeight+2, charts.Lettering(8.5, charts.Ink, true), heading)
	}
	for i, m := range c.Settings {
		y := panels[i][0].Max.Y + 17
		canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Colour(i), Radius: 4, Shape: draw.BoxGlyph{}}, vg.Point{X: left + 4, Y: y + 3.5})
		write(left+12, y, charts.Lettering(9.5, charts.Ink, true), c.Label(m.Queue, m.Scaler))
		write(left+12, y-11, charts.Lettering(8, charts.Pencil, false), m.caption())
	}
}

// legend explains the backdrop.
func (c Comparison) legend() string {
	if c.Offered == nil {
		return ""
	}
	return " (grey: the offered load)"
}

// caption describes a measurement in words.
func (m Measurement) caption() string {
	s := output.English().Sprintf("%.1f workers on average, at most %d; %.1f worker-seconds; turns: %d; tasks done: %d",
		m.MeanWorkers, m.PeakWorkers, m.WorkerSeconds, m.Turns, m.Done)
	also := func(n int, became string) {
		if n > 0 {
			s += output.English().Sprintf(", %s: %d", became, n)
		}
	}
	also(m.Failed, "failed")
	also(m.Shed, "shed")
	also(m.Dropped, "dropped")
	also(m.Unfinished, "unfinished")
	return s
}

// scales has the ends of the axes.
type scales struct {
	seconds, workers, queued float64
	leastWait, longestWait   float64 // milliseconds
}

// shortest is the shortest wait that the chart shows, in milliseconds: a
// logarithmic axis has no 0.
const shortest = 0.001

func (c Comparison) scales() scales {
	s := scales{seconds: c.Duration, workers: 1, queued: 1, leastWait: math.Inf(1), longestWait: 10 * shortest}
	for _, p := range c.Offered {
		s.workers = max(s.workers, p.Number)
	}
	for _, m := range c.Settings {
		s.seconds = max(s.seconds, m.Elapsed)
		for _, sample := range m.Samples {
			s.workers = max(s.workers, float64(sample.Workers))
			s.queued = max(s.queued, float64(sample.Queued))
		}
		s.leastWait = min(s.leastWait, max(m.WaitP50, shortest))
		s.longestWait = max(s.longestWait, m.WaitP99)
	}
	s.leastWait = math.Pow(10, math.Floor(math.Log10(s.leastWait)))
	s.longestWait *= math.Pow(s.longestWait/s.leastWait, 0.25) // room for the text beside the points
	return s
}
