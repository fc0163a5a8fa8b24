package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// The chart has a row for each setting and a column for each of three aspects, with
// the same axes in all rows. Lengths are in points.
const (
	headHeight = 58 // of the title and the column headings
	rowHeight  = 72
	rowHeading = 20
	footHeight = 34 // of the axes below
)

// writeChart draws the comparison to a file.
func (c comparison) writeChart(name string) error {
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
func (c comparison) draw(canvas draw.Canvas) {
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
	write(left, top-20, charts.Lettering(11, charts.Ink, true), strings.ToUpper(c.title[:1])+c.title[1:])
	write(left, top-33, charts.Lettering(8, charts.Pencil, false), c.same())
	for j, heading := range []string{"workers" + c.legend(), "tasks that wait for a worker", "wait in the queue (log scale)"} {
		area := rows[0][j].DataCanvas(panels[0][j])
		write(area.Min.X, top-headHeight+2, charts.Lettering(8.5, charts.Ink, true), heading)
	}
	for i, m := range c.Settings {
		style := charts.Lettering(9.5, charts.Ink, true)
		label := c.label(m.Queue, m.Scaler)
		y := panels[i][0].Max.Y + 6
		canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Colour(i), Radius: 4, Shape: draw.BoxGlyph{}}, vg.Point{X: left + 4, Y: y + 3.5})
		write(left+12, y, style, label)
		write(left+12+style.Width(label)+8, y, charts.Lettering(8, charts.Pencil, false), m.caption())
	}
}

// legend says what the backdrop is.
func (c comparison) legend() string {
	if c.offered == nil {
		return ""
	}
	return " (grey: the offered load)"
}

// caption is what of a measurement is told in words.
func (m measurement) caption() string {
	s := english().Sprintf("%.1f workers on average, at most %d; %.1f worker-seconds; turns: %d; tasks done: %d",
		m.MeanWorkers, m.PeakWorkers, m.WorkerSeconds, m.Turns, m.Done)
	also := func(n int, became string) {
		if n > 0 {
			s += english().Sprintf(", %s: %d", became, n)
		}
	}
	also(m.Failed, "failed")
	also(m.Shed, "shed")
	also(m.Dropped, "dropped")
	also(m.Unfinished, "unfinished")
	return s
}

// scales are the ends of the axes.
type scales struct {
	seconds, workers, queued float64
	leastWait, longestWait   float64 // in milliseconds
}

// shortest is the shortest wait that is told apart, in milliseconds; a logarithmic
// axis has no 0.
const shortest = 0.001

func (c comparison) scales() scales {
	s := scales{seconds: c.Duration, workers: 1, queued: 1, leastWait: math.Inf(1), longestWait: 10 * shortest}
	for _, p := range c.offered {
		s.workers = max(s.workers, p.number)
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
	s.longestWait *= math.Pow(s.longestWait/s.leastWait, 0.25) // room for what is written beside the points
	return s
}

// workersPanel shows the number of workers over time, before that of those that
// would be busy if no task had to wait.
func (c comparison) workersPanel(m measurement, colour color.Color, s scales, last bool) *plot.Plot {
	var needed plotter.XYs
	for _, p := range c.offered {
		needed = append(needed, plotter.XY{X: p.at.Seconds(), Y: p.number})
	}
	return overTime(s.seconds, s.workers, last,
		&plotter.Line{XYs: needed, StepStyle: plotter.PostStep, FillColor: charts.Backdrop},
		line(m.Samples, colour, func(s sample) int { return s.Workers }))
}

// queuePanel shows the length of the queue over time.
func queuePanel(m measurement, colour color.Color, s scales, last bool) *plot.Plot {
	return overTime(s.seconds, s.queued, last, line(m.Samples, colour, func(s sample) int { return s.Queued }))
}

// overTime is a panel with a time axis.
func overTime(seconds, most float64, last bool, lines ...plot.Plotter) *plot.Plot {
	p := newPanel()
	times, numbers := roundTicks(seconds, 6), roundTicks(most, 4)
	p.Add(grid{x: times, y: numbers})
	p.Add(lines...)
	// After that, as the lines must not change the axes: all rows have the same.
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, seconds, 0, most*1.05
	p.Y.Tick.Marker = plot.ConstantTicks(numbers)
	if last {
		p.X.Tick.Marker = plot.ConstantTicks(times)
		p.X.Label.Text = "seconds"
	}
	return p
}

// roundTicks are ticks from 0 up to a number, n steps at most.
func roundTicks(most float64, n int) (ticks []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, factor := range []float64{2, 2.5, 2} { // to 2, 5 and 10 times the power of ten
		if most/step <= float64(n) {
			break
		}
		step *= factor
	}
	for i := 0; float64(i)*step <= most*(1+1e-9); i++ {
		v := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 32)}) // without errors of rounding
	}
	return ticks
}

// line is a number over time.
func line(samples []sample, colour color.Color, number func(sample) int) *plotter.Line {
	l := &plotter.Line{LineStyle: draw.LineStyle{Color: colour, Width: 1.1}}
	for _, s := range samples {
		l.XYs = append(l.XYs, plotter.XY{X: s.At, Y: float64(number(s))})
	}
	return l
}

// waitPanel shows percentiles of the wait.
func waitPanel(m measurement, colour color.Color, s scales, last bool) *plot.Plot {
	p := newPanel()
	p.X.Scale = plot.LogScale{}
	p.X.Min, p.X.Max = s.leastWait, s.longestWait
	p.Y.Min, p.Y.Max = 0.4, 3.6
	p.Y.Tick.Marker = plot.ConstantTicks{{Value: 3, Label: "p50"}, {Value: 2, Label: "p95"}, {Value: 1, Label: "p99"}}
	decades := decadeTicks(s.leastWait, s.longestWait)
	p.Add(grid{x: decades}, waits{[]float64{m.WaitP99, m.WaitP95, m.WaitP50}, colour})
	if last {
		p.X.Tick.Marker = plot.ConstantTicks(decades)
	}
	return p
}

// decadeTicks are ticks at powers of ten milliseconds.
func decadeTicks(least, longest float64) (ticks []plot.Tick) {
	for v := least; v <= longest; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: fromMilliseconds(v)})
	}
	return ticks
}

// newPanel is a plot without anything in it.
func newPanel() *plot.Plot {
	p := plot.New()
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle = draw.LineStyle{Color: color.Gray{0x99}, Width: 0.5}
		axis.Tick.LineStyle = axis.LineStyle
		axis.Tick.Length = 3
		axis.Tick.Marker = plot.ConstantTicks{}
		axis.Tick.Label.Font = charts.Sans(7.5, false)
		axis.Tick.Label.Color = charts.Pencil
		axis.Label.TextStyle.Font = charts.Sans(8, false)
		axis.Label.TextStyle.Color = charts.Pencil
	}
	return p
}

// grid draws faint lines at ticks.
type grid struct{ x, y []plot.Tick }

// Plot draws.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: charts.Faint, Width: 0.6}
	for _, t := range g.x {
		c.StrokeLine2(style, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
	}
	for _, t := range g.y {
		c.StrokeLine2(style, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
	}
}

// waits draws a point for each time, in milliseconds, the first at the height 1.
type waits struct {
	times  []float64
	colour color.Color
}

// Plot draws.
func (w waits) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := charts.Lettering(7.5, charts.Ink, false)
	style.YAlign = draw.YCenter
	for i, ms := range w.times {
		at := vg.Point{X: x(max(ms, shortest)), Y: y(float64(i + 1))}
		c.StrokeLine2(draw.LineStyle{Color: w.colour, Width: 1.5}, c.Min.X, at.Y, at.X, at.Y)
		c.DrawGlyph(draw.GlyphStyle{Color: w.colour, Radius: 3, Shape: draw.CircleGlyph{}}, at)
		c.FillText(style, vg.Point{X: at.X + 6, Y: at.Y}, fromMilliseconds(ms))
	}
}
