package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// Lengths in points.
const (
	top       = 46 // for the title
	foot      = 44 // for the axis and the legend
	rowHeight = 15
	barHeight = 8
	left      = 172 // for the names
	right     = 150 // for the remarks on the last spans
)

// Draw draws a trace in a format such as svg or png. It has a row for each span on a common
// time line, with the spans of a task together, and an arrow from each span to the spans that
// it links to.
func Draw(t Trace, format string) ([]byte, error) {
	p, err := newPicture(t)
	if err != nil {
		return nil, err
	}
	return charts.Render(vg.Length(top+foot+rowHeight*len(p.rows)), format, p.paint)
}

// picture is a trace in the order of its rows.
type picture struct {
	rows     []row
	place    map[string]int // row numbers by span id
	from     int64          // start time
	duration int64          // in microseconds
}

// row is a span and its depth in the tree.
type row struct {
	Span
	depth int
}

func newPicture(t Trace) (*picture, error) {
	if len(t.Spans) == 0 {
		return nil, errors.New("e2e: a trace without spans cannot be drawn")
	}
	p := &picture{place: make(map[string]int), from: t.Spans[0].Start}
	ids, children := make(map[string]bool), make(map[string][]Span)
	for _, s := range t.Spans {
		ids[s.ID] = true
	}
	for _, s := range t.Spans {
		parent := s.parent()
		if !ids[parent] {
			parent = "" // not part of the trace
		}
		children[parent] = append(children[parent], s)
		p.from = min(p.from, s.Start)
	}
	p.add(children, "", 0)
	if len(p.rows) < len(t.Spans) {
		return nil, fmt.Errorf("e2e: %d spans of the trace are parents of each other, or there twice", len(t.Spans)-len(p.rows))
	}
	for _, s := range t.Spans {
		p.duration = max(p.duration, s.Start+s.Duration-p.from, 1)
	}
	return p, nil
}

// add adds the descendants of a span in the order of their start times, each followed by its
// own descendants.
func (p *picture) add(children map[string][]Span, parent string, depth int) {
	list := children[parent]
	slices.SortFunc(list, func(a, b Span) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) })
	for _, s := range list {
		p.place[s.ID] = len(p.rows)
		p.rows = append(p.rows, row{s, depth})
		p.add(children, s.ID, depth+1)
	}
}

// parent returns the id of the parent, or the empty string.
func (s Span) parent() string {
	for _, r := range s.References {
		if r.Type == "CHILD_OF" {
			return r.SpanID
		}
	}
	return ""
}

// links returns the ids of the spans that the span links to.
func (s Span) links() (ids []string) {
	for _, r := range s.References {
		if r.Type == "FOLLOWS_FROM" {
			ids = append(ids, r.SpanID)
		}
	}
	return ids
}

// colours has the colours of spans, in the order of the legend.
var colours = []struct {
	what   string
	colour color.Color
}{
	{"success", charts.Green},
	{"failure", charts.Vermillion},
	{"cancelled", charts.Purple},
	{"wait for a restart", charts.Orange},
	{"submit", charts.Blue},
	{"refused", charts.Vermillion},
}

// what returns the entry of a span in colours, or the empty string if the span has no task.
func (s Span) what() string {
	switch phase, _, _ := strings.Cut(s.Name, " "); {
	case s.Tag("taskmanager.task.name") == "":
		return ""
	case phase == "restart":
		return "wait for a restart"
	case phase == "submit" && s.Tag("error.type") != "":
		return "refused"
	case phase == "submit":
		return phase
	default:
		return s.Tag("taskmanager.task.outcome")
	}
}

// colour returns the colour of a span.
func (s Span) colour() color.Color {
	for _, c := range colours {
		if c.what == s.what() {
			return c.colour
		}
	}
	return charts.Pencil
}

// remark returns the text beside the bar of a span.
func (s Span) remark() string {
	parts := []string{milliseconds(s.Duration)}
	if name := s.Tag("taskmanager.task.name"); name != "" && s.what() != "wait for a restart" {
		parts = append([]string{name}, parts...)
	}
	if attempt := s.Tag("taskmanager.task.attempt"); attempt != "" && s.what() != "wait for a restart" {
		parts = append(parts, "attempt "+attempt)
	}
	switch s.what() {
	case "failure", "cancelled":
		parts = append(parts, strings.TrimSuffix(s.what()+": "+s.Tag("error.type"), ": "))
	case "refused":
		parts = append(parts, "refused: "+s.Tag("error.type"))
	}
	return strings.Join(parts, ", ")
}

func milliseconds(us int64) string {
	if us < 1000 {
		return fmt.Sprint(us, " µs")
	}
	return strconv.FormatFloat(float64(us)/1000, 'f', 0, 64) + " ms"
}

// paint draws the picture.
func (p *picture) paint(c draw.Canvas) {
	charts.Write(c, charts.Lettering(11, charts.Ink, true), 14, c.Max.Y-20, "A request, as Jaeger has it")
	charts.Write(c, charts.Lettering(8, charts.Pencil, false), 14, c.Max.Y-33,
		fmt.Sprintf("%s: %d spans in %s; arrows are links", p.rows[0].Name, len(p.rows), milliseconds(p.duration)))
	p.axis(c)
	for i, r := range p.rows {
		p.bar(c, i, r)
	}
	for i, r := range p.rows {
		for _, id := range r.links() {
			if to, ok := p.place[id]; ok {
				p.link(c, i, to)
			}
		}
	}
	p.legend(c)
}

// x returns the position of a time, in microseconds after the start.
func (p *picture) x(c draw.Canvas, at int64) vg.Length {
	width := c.Max.X - left - right
	return left + width*vg.Length(float64(at)/float64(p.duration))
}

// y returns the middle of a row.
func (p *picture) y(c draw.Canvas, row int) vg.Length {
	return c.Max.Y - top - rowHeight*vg.Length(row) - rowHeight/2
}

// axis draws the time line.
func (p *picture) axis(c draw.Canvas) {
	bottom, lettering := p.y(c, len(p.rows)-1)-rowHeight/2, charts.Lettering(7.5, charts.Pencil, false)
	lettering.XAlign = text.XCenter
	for at := int64(0); at <= p.duration; at += step(p.duration) {
		x := p.x(c, at)
		c.StrokeLine2(draw.LineStyle{Color: charts.Faint, Width: 0.6}, x, bottom, x, c.Max.Y-top)
		charts.Write(c, lettering, x, bottom-9, fmt.Sprint(at/1000, " ms"))
	}
}

// step returns the interval between marks of the time line, in microseconds, for about six
// marks.
func step(duration int64) int64 {
	for unit := int64(1000); ; unit *= 10 {
		for _, factor := range []int64{1, 2, 5} {
			if duration/(unit*factor) < 7 {
				return unit * factor
			}
		}
	}
}

// bar draws a span.
func (p *picture) bar(c draw.Canvas, i int, r row) {
	y, from, to := p.y(c, i), p.x(c, r.Start-p.from), p.x(c, r.Start-p.from+r.Duration)
	to = max(to, from+1.5) // at least visible
	name := charts.Lettering(8, charts.Ink, r.depth == 0)
	name.YAlign = text.YCenter
	charts.Write(c, name, 14+10*vg.Length(r.depth), y, r.Name)
	thickness := vg.Length(barHeight)
	if r.what() == "wait for a restart" {
		thickness = 2.5 // nothing happens
	}
	charts.Bar(c, r.colour(), from, to, y, thickness)
	remark := charts.Lettering(7, charts.Pencil, false)
	remark.YAlign = text.YCenter
	charts.Write(c, remark, to+5, y, r.remark())
}

// link draws an arrow from the start of a span to the end of another.
func (p *picture) link(c draw.Canvas, from, to int) {
	a, b := p.rows[from], p.rows[to]
	x0, y0 := p.x(c, a.Start-p.from), p.y(c, from)
	x1, y1 := p.x(c, b.Start-p.from+b.Duration), p.y(c, to)
	up := vg.Length(1) // towards the other span
	if y1 < y0 {
		up = -1
	}
	y0, y1 = y0+up*barHeight/2, y1-up*(barHeight/2+1)
	style := draw.LineStyle{Color: charts.Ink, Width: 0.6}
	c.StrokeLine2(style, x0, y0, x1, y1)
	c.FillPolygon(charts.Ink, []vg.Point{{X: x1, Y: y1}, {X: x1 - 2, Y: y1 - up*4}, {X: x1 + 2, Y: y1 - up*4}})
}

// legend explains the colours.
func (p *picture) legend(c draw.Canvas) {
	x, lettering := vg.Length(left), charts.Lettering(7.5, charts.Pencil, false)
	seen := make(map[string]bool)
	for _, r := range p.rows {
		seen[r.what()] = true
	}
	for _, entry := range colours {
		if !seen[entry.what] || entry.what == "refused" { // its remark says so
			continue
		}
		charts.Bar(c, entry.colour, x, x+10, 11, 6)
		charts.Write(c, lettering, x+14, 8, entry.what)
		x += 14 + lettering.Width(entry.what) + 16
	}
}
