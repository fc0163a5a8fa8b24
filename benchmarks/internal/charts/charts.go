// Package charts has the common style of the drawings in this module. Lengths are in points;
// 750 points are 1000 pixels.
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

// Width is the width of all drawings.
const Width = 750

// The colours of Okabe and Ito's palette that contrast with white. The palette suits all kinds
// of colour vision.
var (
	Blue       = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	Vermillion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	Green      = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	Purple     = color.RGBA{0xcc, 0x79, 0xa7, 0xff}
	Orange     = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	SkyBlue    = color.RGBA{0x56, 0xb4, 0xe9, 0xff}
)

// Shades of grey for text and background.
var (
	Ink      = color.Gray{0x22} // main text
	Pencil   = color.Gray{0x60} // secondary text
	Backdrop = color.Gray{0xdd} // areas
	Faint    = color.Gray{0xec} // lines
)

var palette = []color.Color{Blue, Vermillion, Green, Purple, Orange, SkyBlue}

// Colour returns the colour of item i, counted from 0.
func Colour(i int) color.Color { return palette[i%len(palette)] }

// Sans returns the font of all text.
func Sans(size vg.Length, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

// Lettering returns a text style.
func Lettering(size vg.Length, colour color.Color, bold bool) text.Style {
	return text.Style{Color: colour, Font: Sans(size, bold), Handler: plot.DefaultTextHandler}
}

// Write writes a text that starts at a point.
func Write(c draw.Canvas, style text.Style, x, y vg.Length, s string) {
	c.FillText(style, vg.Point{X: x, Y: y}, s)
}

// Bar draws a bar from x to end, centred at the height y.
func Bar(c draw.Canvas, colour color.Color, x, end, y, thickness vg.Length) {
	low, high := y-thickness/2, y+thickness/2
	c.FillPolygon(colour, []vg.Point{{X: x, Y: low}, {X: end, Y: low}, {X: end, Y: high}, {X: x, Y: high}})
}

// Render returns a file with the drawing on a white background, in a format of
// [draw.NewFormattedCanvas].
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
	// Fonts of the same width, if that font is not installed.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}
