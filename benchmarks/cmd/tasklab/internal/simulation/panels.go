package simulation

import (
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// workersPanel shows the number of workers over time, in front of the offered load.
func workersPanel(r Result, colour color.Color, s scales, last bool) *plot.Plot {
	offered := steps(s.unit.in(coarse(r.Series, offeredSteps)), func(i Interval) float64 { return i.Offered })
	workers := steps(s.unit.in(coarse(r.Series, lineSteps)), func(i Interval) float64 { return i.Workers })
	return overTime(s, s.workers, last,
		&plotter.Line{XYs: offered, FillColor: charts.Backdrop},
		&plotter.Line{XYs: workers, LineStyle: draw.LineStyle{Color: colour, Width: 1.1}})
}

// How many steps the curves have at most. The offered load has fewer, so that single
// tasks do not show.
const (
	lineSteps    = 180
	offeredSteps = 45
)

// coarse combines intervals, so that at most n are left.
func coarse(series []Interval, n int) (combined []Interval) {
	each := (len(series) + n - 1) / n
	for part := range slices.Chunk(series, max(each, 1)) {
		sum := Interval{At: part[0].At}
		waited := 0.0
		for _, i := range part {
			sum.Length += i.Length
			sum.Offered += i.Offered * i.Length
			sum.Workers += i.Workers * i.Length
			sum.Started += i.Started
			sum.WaitMax = max(sum.WaitMax, i.WaitMax)
			waited += i.WaitMean * float64(i.Started)
		}
		sum.Offered /= sum.Length
		sum.Workers /= sum.Length
		sum.WaitMean = waited / float64(max(1, sum.Started))
		combined = append(combined, sum)
	}
	return combined
}

// steps returns the corners of a number that is constant in each interval.
func steps(series []Interval, number func(Interval) float64) plotter.XYs {
	var corners plotter.XYs
	for _, i := range series {
		corners = append(corners, plotter.XY{X: i.At, Y: number(i)}, plotter.XY{X: i.At + i.Length, Y: number(i)})
	}
	return corners
}

// overTime returns a panel with a time axis.
func overTime(s scales, most float64, last bool, lines ...plot.Plotter) *plot.Plot {
	p := newPanel()
	times, numbers := roundTicks(s.time, 6), roundTicks(most, 4)
	p.Add(grid{x: times, y: numbers})
	p.Add(lines...)
	// Adding lines changes the axes. Set them last, to be the same in all rows.
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, s.time, 0, most*1.05
	p.Y.Tick.Marker = plot.ConstantTicks(numbers)
	if last {
		p.X.Tick.Marker = plot.ConstantTicks(times)
		p.X.Label.Text = s.unit.name
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

// waitPanel shows the waits over time, on a logarithmic scale.
func waitPanel(r Result, colour color.Color, s scales, last bool) *plot.Plot {
	p := newPanel()
	times, decades := roundTicks(s.time, 6), decadeTicks(s.least, s.most)
	p.Y.Scale = plot.LogScale{}
	p.Y.Min, p.Y.Max = s.least, s.most
	p.X.Min, p.X.Max = 0, s.time
	p.Y.Tick.Marker = plot.ConstantTicks(decades)
	p.Add(grid{x: times, y: decades}, waits{s.unit.in(coarse(r.Series, lineSteps)), colour, s.least})
	if last {
		p.X.Tick.Marker = plot.ConstantTicks(times)
		p.X.Label.Text = s.unit.name
	}
	return p
}

// decadeTicks returns ticks at powers of ten, in seconds. The lowest one also stands
// for all shorter waits.
func decadeTicks(least, most float64) (ticks []plot.Tick) {
	for v := least; v <= most*(1+1e-9); v *= 10 {
		ticks = append(ticks, plot.Tick{Value: v, Label: short(v)})
	}
	ticks[0].Label = "≤ " + ticks[0].Label
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

// waits draws the mean wait of each interval as a line and the longest as an area.
// There are gaps where no task started.
type waits struct {
	series []Interval
	colour color.Color
	least  float64 // at the foot of the areas
}

// Plot implements [plot.Plotter].
func (w waits) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	pale := paler(w.colour)
	height := func(wait float64) vg.Length { return y(max(wait, w.least)) }
	for _, i := range w.series {
		if i.Started == 0 || i.WaitMax <= w.least {
			continue
		}
		left, right, low, high := x(i.At), x(i.At+i.Length), y(w.least), height(i.WaitMax)
		c.FillPolygon(pale, []vg.Point{{X: left, Y: low}, {X: left, Y: high}, {X: right, Y: high}, {X: right, Y: low}})
	}
	var line []vg.Point
	style := draw.LineStyle{Color: w.colour, Width: 1.1}
	for _, i := range w.series {
		if i.Started == 0 {
			c.StrokeLines(style, line)
			line = nil
			continue
		}
		line = append(line, vg.Point{X: x(i.At), Y: height(i.WaitMean)}, vg.Point{X: x(i.At + i.Length), Y: height(i.WaitMean)})
	}
	c.StrokeLines(style, line)
}

// paler mixes a colour with white.
func paler(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(v uint32) uint8 { return uint8(0xff - (0xff-v>>8)*35/100) }
	return color.RGBA{mix(r), mix(g), mix(b), 0xff}
}
