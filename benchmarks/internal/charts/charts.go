// Package charts is what the drawings of this module have in common, so that they look
// alike. Lengths are in points, of which 750 are 1000 pixels.
package charts

import (
	"bytes"
	"fmt"
	"image/color"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Width is that of all drawings.
const Width = 750

// The colours of Okabe and Ito's palette that stand out from white. It is made for people
// with any kind of colour vision.
var (
	Blue       = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	Vermillion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	Green      = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	Purple     = color.RGBA{0xcc, 0x79, 0xa7, 0xff}
	Orange     = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	SkyBlue    = color.RGBA{0x56, 0xb4, 0xe9, 0xff}
)

// Shades of what is not the matter itself.
var (
	Ink      = color.Gray{0x22} // what is read
	Pencil   = color.Gray{0x60} // what is read next
	Backdrop = color.Gray{0xdd} // areas
	Faint    = color.Gray{0xec} // lines
)

var palette = []color.Color{Blue, Vermillion, Green, Purple, Orange, SkyBlue}

// Colour is one for the thing of a number, from 0 on.
func Colour(i int) color.Color { return palette[i%len(palette)] }

// Sans is the typeface of all text.
func Sans(size vg.Length, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

// Lettering is a style of text.
func Lettering(size vg.Length, colour color.Color, bold bool) text.Style {
	return text.Style{Color: colour, Font: Sans(size, bold), Handler: plot.DefaultTextHandler}
}

// Write writes a text that begins at a point.
func Write(c draw.Canvas, style text.Style, x, y vg.Length, s string) {
	c.FillText(style, vg.Point{X: x, Y: y}, s)
}

// Bar draws a bar from x to end, whose middle is at the height y.
func Bar(c draw.Canvas, colour color.Color, x, end, y, thickness vg.Length) {
	low, high := y-thickness/2, y+thickness/2
	c.FillPolygon(colour, []vg.Point{{X: x, Y: low}, {X: end, Y: low}, {X: end, Y: high}, {X: x, Y: high}})
}

// Render makes a file of what is drawn on white, in a format of draw.NewFormattedCanvas.
func Render(height vg.Length, format string, paint func(draw.Canvas)) ([]byte, error) {
	formatted, err := draw.NewFormattedCanvas(Width, height, format)
	if err != nil {
		return nil, fmt.Errorf("charts: %w", err)
	}
	canvas := draw.New(formatted)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Path())
	paint(canvas)
	var b bytes.Buffer
	if _, err := formatted.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("charts: %w", err)
	}
	if format != "svg" {
		return b.Bytes(), nil
	}
	// Where that font is not installed, these are of the same width.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}
