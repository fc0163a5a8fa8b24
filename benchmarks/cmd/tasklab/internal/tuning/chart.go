package tuning

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// The layout of the chart. Lengths are in points.
const (
	chartHeight = 450
	headHeight  = 92 // of the title, the remarks and the legend
	leftMargin  = 74
	rightMargin = 24
	footHeight  = 44
)

// WriteChart draws the settings that were tried to a file, whose name ends in .svg or .png.
func (r *Result) WriteChart(name string) error {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
	drawn, err := charts.Render(chartHeight, format, func(c draw.Canvas) { newDrawing(r, c).draw() })
	if err == nil {
		err = os.WriteFile(name, drawn, 0o666)
	}
	if err != nil {
		return fmt.Errorf("tasklab: -chart: %w", err)
	}
	return nil
}

// drawing is a chart that is being drawn.
type drawing struct {
	*Result
	canvas  draw.Canvas
	area    vg.Rectangle // of the dots
	x, y    axis
	scalers []string // in the order of the colours
	taken   []vg.Rectangle
}

func newDrawing(r *Result, c draw.Canvas) *drawing {
	d := &drawing{Result: r, canvas: c}
	d.area = vg.Rectangle{
		Min: vg.Point{X: c.Min.X + leftMargin, Y: c.Min.Y + footHeight},
		Max: vg.Point{X: c.Max.X - rightMargin, Y: c.Max.Y - headHeight},
	}
	xs, ys := []float64{}, []float64{r.Objectives[0].Bound}
	for _, t := range r.Trials {
		if t.Outcome.Stalled {
			continue
		}
		o := d.scaled(t)
		xs, ys = append(xs, o.Cost), append(ys, o.Quantity)
		if t.Chosen && t.Second != nil {
			xs, ys = append(xs, t.Second.Cost), append(ys, t.Second.Quantity)
		}
		if s := scalerName(t); d.comparable(t) && !slices.Contains(d.scalers, s) {
			d.scalers = append(d.scalers, s)
		}
	}
	slices.Sort(d.scalers)
	d.x, d.y = newAxis(r.Minimise, xs), newAxis(r.Objectives[0].Quantity, ys)
	return d
}

// comparable reports whether a trial was tried on as many jobs as the choice.
func (d *drawing) comparable(t Trial) bool { return t.Jobs == d.choice().Jobs && !t.Outcome.Stalled }

// scaled returns the outcome of a trial. If it was tried on fewer jobs than the choice, a cost that
// grows with the time is multiplied accordingly.
func (d *drawing) scaled(t Trial) Outcome {
	o, all := t.Outcome, d.Parts[0].Jobs
	if m := d.Minimise.Measure; (m == "worker-seconds" || m == "turns") && t.Jobs < d.choice().Jobs {
		o.Cost *= float64(all[d.choice().Jobs-1].At) / float64(max(all[t.Jobs-1].At, 1))
	}
	return o
}

// scalerName returns the name of the scaler without parameters and variants.
func scalerName(t Trial) string {
	name, _, _ := strings.Cut(t.Policy.Scaler.Name, "+")
	name, _, _ = strings.Cut(name, ":")
	return name
}

func (d *drawing) colour(t Trial) color.Color {
	return charts.Colour(slices.Index(d.scalers, scalerName(t)))
}

// at returns the point of an outcome.
func (d *drawing) at(o Outcome) vg.Point {
	return vg.Point{
		X: d.area.Min.X + vg.Length(d.x.place(o.Cost))*(d.area.Max.X-d.area.Min.X),
		Y: d.area.Min.Y + vg.Length(d.y.place(o.Quantity))*(d.area.Max.Y-d.area.Min.Y),
	}
}

// elsewhere is the dot of a setting that was tried on fewer jobs than the choice.
var elsewhere = draw.GlyphStyle{Color: color.Gray{0xc4}, Radius: 1.3, Shape: draw.CircleGlyph{}}

func (d *drawing) draw() {
	d.drawHead()
	d.drawAxes()
	d.drawObjective()
	for _, t := range d.Trials {
		if !d.comparable(t) && !t.Outcome.Stalled {
			d.canvas.DrawGlyph(elsewhere, d.at(d.scaled(t)))
		}
	}
	for _, t := range d.Trials {
		if d.comparable(t) && !t.Front && !t.Chosen {
			d.drawDot(t)
		}
	}
	d.drawFront()
	d.drawChoice()
	d.drawLabels()
}

// drawHead writes the title and the legend.
func (d *drawing) drawHead() {
	left, top := d.canvas.Min.X+14, d.canvas.Max.Y
	charts.Write(d.canvas, charts.Lettering(11, charts.Ink, true), left, top-20, fmt.Sprintf("%s against %s: %d settings that were tried",
		capital(d.Minimise.String()), d.Objectives[0].Quantity, len(d.Trials)))
	small := charts.Lettering(8, charts.Pencil, false)
	charts.Write(d.canvas, small, left, top-33, shorten(capital(d.Title), 160))
	remark := output.English().Sprintf("Each dot is a setting, on the first %d tasks. The black line is the Pareto front: no setting is below and to the left of it.", d.choice().Jobs)
	charts.Write(d.canvas, small, left, top-45, remark)
	d.drawLegend(left, top-66)
}

// drawLegend explains the dots.
func (d *drawing) drawLegend(x, y vg.Length) {
	entry := func(style draw.GlyphStyle, s string) {
		lettering := charts.Lettering(8.5, charts.Ink, false)
		d.canvas.DrawGlyph(style, vg.Point{X: x + 4, Y: y + 3})
		charts.Write(d.canvas, lettering, x+11, y, s)
		x += 26 + 1.15*lettering.Width(s)
	}
	for i, s := range d.scalers {
		entry(draw.GlyphStyle{Color: charts.Colour(i), Radius: 3.5, Shape: draw.CircleGlyph{}}, s)
	}
	if slices.ContainsFunc(d.Trials, func(t Trial) bool { return d.comparable(t) && t.Outcome.Others > 0 }) {
		entry(draw.GlyphStyle{Color: charts.Pencil, Radius: 3, Shape: draw.RingGlyph{}}, "violates another objective")
	}
	if n := slices.IndexFunc(d.Trials, func(t Trial) bool { return !d.comparable(t) && !t.Outcome.Stalled }); n >= 0 {
		s := "tried on fewer tasks only"
		if d.scaled(d.Trials[n]).Cost != d.Trials[n].Outcome.Cost {
			s += ", " + d.Minimise.Measure + " multiplied"
		}
		entry(elsewhere, s)
	}
}

// shorten cuts a text that is too long.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// capital returns a text with a capital letter at its beginning, which is ASCII.
func capital(s string) string {
	n := min(1, len(s))
	return strings.ToUpper(s[:n]) + s[n:]
}

// drawAxes draws the lines and numbers of the axes.
func (d *drawing) drawAxes() {
	c, a := d.canvas, d.area
	faint := draw.LineStyle{Color: charts.Faint, Width: 0.8}
	style := charts.Lettering(8, charts.Pencil, false)
	style.XAlign, style.YAlign = draw.XCenter, draw.YTop
	for _, t := range d.x.ticks() {
		x := d.at(Outcome{Cost: t.Value}).X
		c.StrokeLine2(faint, x, a.Min.Y, x, a.Max.Y)
		c.FillText(style, vg.Point{X: x, Y: a.Min.Y - 5}, t.Label)
	}
	heading := charts.Lettering(8.5, charts.Ink, true)
	heading.XAlign = draw.XRight
	c.FillText(heading, vg.Point{X: a.Max.X, Y: c.Min.Y + 12}, d.Minimise.String()+scaleName(d.x)+" →")
	style.XAlign, style.YAlign = draw.XRight, draw.YCenter
	for _, t := range d.y.ticks() {
		y := d.at(Outcome{Quantity: t.Value}).Y
		c.StrokeLine2(faint, a.Min.X, y, a.Max.X, y)
		c.FillText(style, vg.Point{X: a.Min.X - 5, Y: y}, t.Label)
	}
	heading.XAlign = draw.XLeft
	c.FillText(heading, vg.Point{X: c.Min.X + 14, Y: a.Max.Y + 6}, "↑ "+d.Objectives[0].Quantity.String()+scaleName(d.y))
}

func scaleName(a axis) string {
	if a.log {
		return " (log scale)"
	}
	return ""
}

// drawObjective draws the bound of the first objective, and shades what violates it.
func (d *drawing) drawObjective() {
	o, a := d.Objectives[0], d.area
	y := d.at(Outcome{Quantity: o.Bound}).Y
	low, high := y, a.Max.Y
	if o.AtLeast {
		low, high = a.Min.Y, y
	}
	d.canvas.FillPolygon(color.NRGBA{0xd5, 0x5e, 0x00, 0x12}, []vg.Point{{X: a.Min.X, Y: low}, {X: a.Max.X, Y: low}, {X: a.Max.X, Y: high}, {X: a.Min.X, Y: high}})
	d.canvas.StrokeLine2(draw.LineStyle{Color: charts.Vermillion, Width: 1.2, Dashes: []vg.Length{5, 3}}, a.Min.X, y, a.Max.X, y)
	style := charts.Lettering(8.5, charts.Vermillion, true)
	style.XAlign = draw.XRight
	text := "objective: " + o.String()
	if d.Margin > 0 {
		strict := d.at(Outcome{Quantity: o.Stricter(d.Margin).Bound}).Y
		d.canvas.StrokeLine2(draw.LineStyle{Color: charts.Vermillion, Width: 0.7, Dashes: []vg.Length{1, 2}}, a.Min.X, strict, a.Max.X, strict)
		text += fmt.Sprintf(" (dotted: with the margin of %.3g%%)", 100*d.Margin)
	}
	// Another font of the viewer may be a quarter wider, and the text begins where this font has it begin.
	width := 1.25 * style.Width(text)
	at := vg.Point{X: a.Max.X - 4 - 0.2*width, Y: y + 4}
	d.canvas.FillText(style, at, text)
	d.take(a.Max.X-4-width, at.Y, width)
}

// drawDot draws a setting.
func (d *drawing) drawDot(t Trial) {
	shape, radius := draw.GlyphDrawer(draw.CircleGlyph{}), vg.Length(2.4)
	if t.Outcome.Others > 0 {
		shape = draw.RingGlyph{}
	}
	d.canvas.DrawGlyph(draw.GlyphStyle{Color: fade(d.colour(t)), Radius: radius, Shape: shape}, d.at(t.Outcome))
}

// fade makes a colour lighter.
func fade(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	light := func(v uint32) uint8 { return uint8(255 - (255-v>>8)*45/100) }
	return color.RGBA{light(r), light(g), light(b), 0xff}
}

// drawFront draws the Pareto front: a line of steps, below and to the left of which there is no
// setting, and its members.
func (d *drawing) drawFront() {
	var line []vg.Point
	for _, t := range d.front() {
		at := d.at(t.Outcome)
		if len(line) > 0 {
			line = append(line, vg.Point{X: at.X, Y: line[len(line)-1].Y})
		}
		line = append(line, at)
	}
	if len(line) > 1 {
		d.canvas.StrokeLines(draw.LineStyle{Color: charts.Ink, Width: 1}, line)
	}
	for _, t := range d.front() {
		at := d.at(t.Outcome)
		d.canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Ink, Radius: 4.4, Shape: draw.CircleGlyph{}}, at)
		d.canvas.DrawGlyph(draw.GlyphStyle{Color: d.colour(*t), Radius: 3.6, Shape: draw.CircleGlyph{}}, at)
	}
}

// drawChoice marks the choice, and where it is on the second part.
func (d *drawing) drawChoice() {
	c := d.choice()
	at := d.at(c.Outcome)
	if c.Second != nil {
		second := d.at(*c.Second)
		d.canvas.StrokeLine2(draw.LineStyle{Color: charts.Ink, Width: 0.8, Dashes: []vg.Length{2, 2}}, at.X, at.Y, second.X, second.Y)
		d.canvas.DrawGlyph(draw.GlyphStyle{Color: color.White, Radius: 5, Shape: draw.BoxGlyph{}}, second)
		d.canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Ink, Radius: 5, Shape: draw.SquareGlyph{}}, second)
	}
	d.canvas.DrawGlyph(draw.GlyphStyle{Color: charts.Ink, Radius: 7.5, Shape: draw.RingGlyph{}}, at)
	d.canvas.DrawGlyph(draw.GlyphStyle{Color: d.colour(*c), Radius: 4.5, Shape: draw.CircleGlyph{}}, at)
}

// drawLabels writes the names of the choice, of its place on the second part, and of members of the
// front, where there is room.
func (d *drawing) drawLabels() {
	c := d.choice()
	occupy := func(o Outcome) {
		at := d.at(o)
		d.taken = append(d.taken, vg.Rectangle{Min: vg.Point{X: at.X - 5, Y: at.Y - 5}, Max: vg.Point{X: at.X + 5, Y: at.Y + 5}})
	}
	for _, t := range d.front() {
		occupy(t.Outcome)
	}
	if c.Second != nil {
		occupy(*c.Second)
	}
	d.label(d.at(c.Outcome), "choice: "+shortName(*c), true)
	if c.Second != nil {
		d.label(d.at(*c.Second), "the choice on the second part", true)
	}
	for _, t := range d.front() {
		if !t.Chosen {
			d.label(d.at(t.Outcome), shortName(*t), false)
		}
	}
}

// shortName describes a policy.
func shortName(t Trial) string {
	p := t.Policy
	name := fmt.Sprintf("%s, %d–%d", p.Scaler.Name, p.Min, p.Max)
	if p.Min == p.Max {
		name = fmt.Sprintf("%s, %d", p.Scaler.Name, p.Max)
	}
	if p.Queue.Name != "fifo" {
		name = p.Queue.Name + ", " + name
	}
	return name
}

// label writes a text near a point, at the first place where it overlaps nothing. A text for which
// there is no such place is left out, unless it is important.
func (d *drawing) label(at vg.Point, s string, important bool) {
	style := charts.Lettering(7.5, charts.Ink, important)
	width := 1.1 * style.Width(s) // the viewer of an SVG may use another font
	for _, distance := range []vg.Length{0, 12, 24, 40} {
		for _, place := range []vg.Point{
			{X: at.X + 9, Y: at.Y + 4 + distance}, {X: at.X + 9, Y: at.Y - 11 - distance},
			{X: at.X - 9 - width, Y: at.Y - 11 - distance}, {X: at.X - 9 - width, Y: at.Y + 4 + distance},
		} {
			if d.free(place.X, place.Y, width) {
				d.take(place.X, place.Y, width)
				d.write(style, place, width, s)
				if distance > 0 {
					edge := place.X
					if place.X < at.X {
						edge += width
					}
					d.canvas.StrokeLine2(draw.LineStyle{Color: charts.Pencil, Width: 0.5}, at.X, at.Y, edge, place.Y+3)
				}
				return
			}
		}
	}
	if important {
		d.write(style, vg.Point{X: min(at.X+9, d.area.Max.X-width), Y: at.Y + 4}, width, s)
	}
}

// write writes a text on a light ground, over the dots.
func (d *drawing) write(style text.Style, at vg.Point, width vg.Length, s string) {
	b := box(at.X, at.Y, width/1.1)
	d.canvas.FillPolygon(color.NRGBA{0xff, 0xff, 0xff, 0xa0}, []vg.Point{b.Min, {X: b.Max.X, Y: b.Min.Y}, b.Max, {X: b.Min.X, Y: b.Max.Y}})
	d.canvas.FillText(style, at, s)
}

// box returns the rectangle of a text.
func box(x, y, width vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: x, Y: y - 2}, Max: vg.Point{X: x + width, Y: y + 8}}
}

func (d *drawing) take(x, y, width vg.Length) { d.taken = append(d.taken, box(x, y, width)) }

// free reports whether a text overlaps nothing, and is within the area.
func (d *drawing) free(x, y, width vg.Length) bool {
	b := box(x, y, width)
	if b.Min.X < d.area.Min.X || b.Max.X > d.area.Max.X+rightMargin || b.Min.Y < d.area.Min.Y || b.Max.Y > d.area.Max.Y {
		return false
	}
	return !slices.ContainsFunc(d.taken, func(t vg.Rectangle) bool {
		return math.Max(float64(b.Min.X), float64(t.Min.X)) < math.Min(float64(b.Max.X), float64(t.Max.X)) &&
			math.Max(float64(b.Min.Y), float64(t.Min.Y)) < math.Min(float64(b.Max.Y), float64(t.Max.Y))
	})
}
