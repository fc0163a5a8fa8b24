package comparison

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// workersPanel shows the number of workers over time, in front of the offered load.
func (c Comparison) workersPanel(m Measurement, colour color.Color, s scales, last bool) *plot.Plot {
	var needed plotter.XYs
	for _, p := range c.Offered {
		needed = append(needed, plotter.XY{X: p.At.Seconds(), Y: p.Number})
	}
	return overTime(s.seconds, s.workers, last,
		&plotter.Line{XYs: needed, StepStyle: plotter.PostStep, FillColor: charts.Backdrop},
		line(m.Samples, colour, func(s Sample) int { return s.Workers }))
}

// queuePanel shows the length of the queue over time.
func queuePanel(m Measurement, colour color.Color, s scales, last bool) *plot.Plot {
	return overTime(s.seconds, s.queued, last, line(m.Samples, colour, func(s Sample) int { return s.Queued }))
}

// overTime returns a panel with a time axis.
func overTime(seconds, most float64, last bool, lines ...plot.Plotter) *plot.Plot {
	p := newPanel()
	times, numbers := roundTicks(seconds, 6), roundTicks(most, 4)
	p.Add(grid{x: times, y: numbers})
	p.Add(lines...)
	// Adding lines changes the axes. Set them last, to be the same in all rows.
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, seconds, 0, most*1.05
	p.Y.Tick.Marker = plot.ConstantTicks(numbers)
	if last {
		p.X.Tick.Marker = plot.ConstantTicks(times)
		p.X.Label.Text = "seconds"
	}
	return p
}

// roundTicks returns ticks at round numbers from 0 to most, in at most n steps.
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
		ticks = append(ticks, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 32)}) // as float32, without rounding errors
	}
	return ticks
}

// line draws a number over time.
func line(samples []Sample, colour color.Color, number func(Sample) int) *plotter.Line {
	l := &plotter.Line{LineStyle: draw.LineStyle{Color: colour, Width: 1.1}}
	for _, s := range samples {
		l.XYs = append(l.XYs, plotter.XY{X: s.At, Y: float64(number(s))})
	}
	return l
}

// waitPanel shows percentiles of the queue wait.
func waitPanel(m Measurement, colour color.Color, s scales, last bool) *plot.Plot {
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

// decadeTicks returns ticks at powers of ten, in milliseconds.
func decadeTicks(least, longest float64) (ticks []plot.Tick) {
	for v := least; v <= longest; v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: output.ShortMilliseconds(v)})
	}
	return ticks
}

// newPanel returns an empty plot.
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

// Plot implements [plot.Plotter].
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

// waits draws a point for each time in milliseconds. The first is at height 1.
type waits struct {
	times  []float64
	colour color.Color
}

// Plot implements [plot.Plotter].
func (w waits) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := charts.Lettering(7.5, charts.Ink, false)
	style.YAlign = draw.YCenter
	for i, ms := range w.times {
		at := vg.Point{X: x(max(ms, shortest)), Y: y(float64(i + 1))}
		c.StrokeLine2(draw.LineStyle{Color: w.colour, Width: 1.5}, c.Min.X, at.Y, at.X, at.Y)
		c.DrawGlyph(draw.GlyphStyle{Color: w.colour, Radius: 3, Shape: draw.CircleGlyph{}}, at)
		c.FillText(style, vg.Point{X: at.X + 6, Y: at.Y}, output.ShortMilliseconds(ms))
	}
}
