package main

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
	"github.com/seed56799101/taskmanager/internal/yardstick"
)

// chart is a row of panels.
type chart struct {
	file, title, below string
	panels             []panel
}

// panel has a bar for each contender, the best at the top.
type panel struct {
	title, unit string
	linear      bool // otherwise the scale is logarithmic
	bars        []bar
}

type bar struct {
	label string
	value float64
	ours  bool
}

// charts returns the charts of the results.
func (r results) charts() (list []chart) {
	dispatch := chart{file: "dispatch.svg", title: "Nanoseconds a task that does nothing", below: "from the first submit to the end of the last task; the scale is logarithmic"}
	for _, name := range []string{"empty, 2 workers", "empty, 100 workers"} {
		if t, ok := r.table(name); ok {
			dispatch.panels = append(dispatch.panels, newPanel(t, t.About, "ns", perTask))
		}
	}
	memory := chart{file: "sleep.svg", title: "A million tasks that sleep for 10 ms, 50,000 workers", below: "200 ms is the least that is possible; each measurement is a process of its own"}
	if t, ok := r.table("sleep, 1 × 1000000"); ok {
		memory.panels = []panel{
			newPanel(t, "milliseconds", "ms", perTask),
			newPanel(t, "peak memory, MiB", "MiB", peakMiB),
		}
		for i := range memory.panels {
			memory.panels[i].linear = true
		}
	}
	latency := chart{file: "latency.svg", title: "Microseconds from submit to start, one task at a time, 2 workers", below: "the scale is logarithmic"}
	if t, ok := r.table("latency"); ok {
		latency.panels = []panel{
			newPanel(t, "p50", "µs", p50),
			newPanel(t, "p99", "µs", p99),
		}
	}
	for _, c := range []chart{dispatch, memory, latency} {
		if len(c.panels) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// newPanel shows the state with most measurements.
func newPanel(t table, title, unit string, number func(measurement) float64) panel {
	v := t.views()[0]
	p := panel{title: title, unit: unit}
	if v.state != yardstick.Unknown {
		p.title += " (" + v.state.String() + ")"
	}
	for _, e := range v.Entries {
		p.bars = append(p.bars, bar{e.Contender, e.median(number), e.Ours})
	}
	slices.SortStableFunc(p.bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	return p
}

// Lengths in points.
const (
	head      = 66 // for the titles
	foot      = 12
	barRow    = 14
	barHeight = 8
	names     = 132 // for the names of the contenders
	figures   = 46  // for the numbers behind the bars
	margin    = 14
)

func (c chart) render() ([]byte, error) {
	rows := 0
	for _, p := range c.panels {
		rows = max(rows, len(p.bars))
	}
	return charts.Render(vg.Length(head+foot+barRow*rows), "svg", c.paint)
}

func (c chart) paint(canvas draw.Canvas) {
	charts.Write(canvas, charts.Lettering(11, charts.Ink, true), margin, canvas.Max.Y-20, c.title)
	charts.Write(canvas, charts.Lettering(8, charts.Pencil, false), margin, canvas.Max.Y-33, c.below+"; ours are blue")
	width := (canvas.Max.X - margin) / vg.Length(len(c.panels))
	for i, p := range c.panels {
		p.paint(canvas, margin+width*vg.Length(i), width-margin)
	}
}

// paint draws the panel.
func (p panel) paint(c draw.Canvas, left, width vg.Length) {
	charts.Write(c, charts.Lettering(8.5, charts.Ink, true), left, c.Max.Y-54, p.title)
	least, most := p.bars[0].value, p.bars[len(p.bars)-1].value
	least = max(least, most/1e6) // a logarithmic scale has no 0
	scale := func(v float64) vg.Length {
		if p.linear {
			return vg.Length(v / most)
		}
		const stub = 0.06 // of the shortest bar
		if most <= least {
			return stub
		}
		return vg.Length(stub + (1-stub)*math.Log(max(v, least)/least)/math.Log(most/least))
	}
	for i, b := range p.bars {
		y := c.Max.Y - head - barRow*vg.Length(i) - barRow/2
		name, colour := charts.Lettering(7.5, charts.Pencil, false), color.Color(charts.Backdrop)
		if b.ours {
			name, colour = charts.Lettering(7.5, charts.Ink, true), charts.Blue
		}
		name.YAlign = text.YCenter
		end := left + names + (width-names-figures)*scale(b.value)
		charts.Bar(c, colour, left+names, end, y, barHeight)
		charts.Write(c, name, left, y, b.label)
		charts.Write(c, name, end+4, y, figure(b.value)+" "+p.unit)
	}
}

// figure formats a number with three digits.
func figure(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}
