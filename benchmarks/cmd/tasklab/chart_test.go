package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

func TestRoundTicks(t *testing.T) {
	for _, tt := range []struct {
		most float64
		want []string
	}{
		{0.009, []string{"0", "0.005"}},
		{0.3, []string{"0", "0.1", "0.2", "0.3"}},
		{1, []string{"0", "0.5", "1"}},
		{4, []string{"0", "1", "2", "3", "4"}},
		{4.1, []string{"0", "2", "4"}},
		{30, []string{"0", "10", "20", "30"}},
		{52, []string{"0", "20", "40"}},
		{100, []string{"0", "50", "100"}},
		{12345, []string{"0", "5000", "10000"}},
	} {
		var got []string
		for _, tick := range roundTicks(tt.most, 4) {
			got = append(got, tick.Label)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("up to %v (-want +got):\n%s", tt.most, diff)
		}
	}
}

// manySettings are more than there are colours, with all kinds of values.
func manySettings() comparison {
	c := comparison{
		title: "a title", Duration: 10, queues: 2, scalers: 4, Overflow: "block",
		offered: []point{{0, 3}, {seconds(5), 30}, {seconds(10), 0}},
	}
	for i, queue := range []string{"fifo", "codel"} {
		for j, scaler := range []string{"demand", "demand+stabilise", "step", "fixed"} {
			m := measurement{Queue: queue, Scaler: scaler, Done: 1000, Elapsed: 10 + float64(i), WaitP95: 0.05, WaitP99: math.Pow(10, float64(j))}
			for k := range 50 {
				m.Samples = append(m.Samples, sample{At: float64(k) / 5, Workers: 10 * (j + 1), Queued: k * i})
			}
			c.Settings = append(c.Settings, m)
		}
	}
	return c
}

// chart draws a chart to a file and reads that.
func chart(t *testing.T, c comparison, format string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chart."+format)
	if err := c.writeChart(name); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return drawn
}

// written are the texts in an SVG.
func written(t *testing.T, svg []byte) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.CharData:
			if inText {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestSVG(t *testing.T) {
	c := manySettings()
	texts := "\n" + strings.Join(written(t, chart(t, c, "svg")), "\n") + "\n"
	want := []string{"A title", "workers (grey: the offered load)", "seconds", "p50", "0s", "50µs", "1s", "10"}
	for _, m := range c.Settings {
		want = append(want, m.Queue+", "+m.Scaler)
	}
	for _, w := range want {
		if !strings.Contains(texts, "\n"+w+"\n") {
			t.Errorf("there is no text %q in:%s", w, texts)
		}
	}
}

func TestPNG(t *testing.T) {
	c := manySettings()
	img, err := png.Decode(bytes.NewReader(chart(t, c, "png")))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 1000 || size.Y < 100*len(c.Settings) {
		t.Errorf("the size is %v", size)
	}
	seen := make(map[color.Color]bool)
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			seen[color.RGBAModel.Convert(img.At(x, y))] = true
		}
	}
	if r, g, b, a := img.At(0, 0).RGBA(); r&g&b&a != 0xffff {
		t.Errorf("the background is %v", img.At(0, 0))
	}
	for i := range c.Settings {
		if !seen[charts.Colour(i)] {
			t.Errorf("there is nothing in the colour %v", charts.Colour(i))
		}
	}
	if !seen[color.RGBAModel.Convert(charts.Backdrop)] {
		t.Error("there is no backdrop")
	}
}

// Whatever was measured, or not, can be drawn.
func TestChartOfLittle(t *testing.T) {
	for _, c := range []comparison{
		{title: "no samples", queues: 1, scalers: 1, Settings: []measurement{{Queue: "fifo", Scaler: "demand", Elapsed: 1e-9}}},
		{title: "long waits", queues: 1, scalers: 1, Settings: []measurement{{WaitP50: 1e9, WaitP95: 1e9, WaitP99: 1e9, Elapsed: 1e9}}},
		{title: "one sample", queues: 1, scalers: 1, Settings: []measurement{{Elapsed: 1, Samples: []sample{{At: 0.5, Workers: 1}}}}},
	} {
		written(t, chart(t, c, "svg"))
		if _, err := png.Decode(bytes.NewReader(chart(t, c, "png"))); err != nil {
			t.Errorf("%s: %v", c.title, err)
		}
	}
}

func TestUnwritableChart(t *testing.T) {
	err := manySettings().writeChart(filepath.Join(t.TempDir(), "missing", "c.svg"))
	if err == nil || !strings.HasPrefix(err.Error(), "tasklab: -chart: open ") {
		t.Errorf("err = %v", err)
	}
}
