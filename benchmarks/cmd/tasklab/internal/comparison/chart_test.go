package comparison

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
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
		if diff := gocmp.Diff(tt.want, got); diff != "" {
			t.Errorf("up to %v (-want +got):\n%s", tt.most, diff)
		}
	}
}

// manySettings has more settings than there are colours, with all kinds of values.
func manySettings() Comparison {
	c := Comparison{
		Title: "a title", Duration: 10, Queues: 2, Scalers: 4, Overflow: "block",
		Offered: []workload.Point{{Number: 3}, {At: measure.Seconds(5), Number: 30}, {At: measure.Seconds(10)}},
	}
	for i, queue := range []string{"fifo", "codel"} {
		for j, scaler := range []string{"demand", "demand+stabilise", "step", "fixed"} {
			m := Measurement{Queue: queue, Scaler: scaler, Done: 1000, Elapsed: 10 + float64(i), WaitP95: 0.05, WaitP99: math.Pow(10, float64(j))}
			for k := range 50 {
				m.Samples = append(m.Samples, Sample{At: float64(k) / 5, Workers: 10 * (j + 1), Queued: k * i})
			}
			c.Settings = append(c.Settings, m)
		}
	}
	return c
}

// chart draws a chart to a file and reads the file.
func chart(t *testing.T, c Comparison, format string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chart."+format)
	if err := c.WriteChart(name); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return drawn
}

// texts returns the texts in an SVG.
func texts(t *testing.T, svg []byte) (found []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
		case xml.CharData:
			if inText {
				found = append(found, string(token))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestSVG(t *testing.T) {
	c := manySettings()
	all := "\n" + strings.Join(texts(t, chart(t, c, "svg")), "\n") + "\n"
	want := []string{"A title", "workers (grey: the offered load)", "seconds", "p50", "0s", "50µs", "1s", "10"}
	for _, m := range c.Settings {
		want = append(want, m.Queue+", "+m.Scaler)
	}
	for _, w := range want {
		if !strings.Contains(all, "\n"+w+"\n") {
			t.Errorf("there is no text %q in:%s", w, all)
		}
	}
}

// The viewer of an SVG may lack the fonts for which the chart was laid out. DejaVu Sans, the
// usual substitute, takes 0.6 times its size for a character on average, and up to 0.7 in bold.
func TestLabelsDoNotOverlapInAnotherFont(t *testing.T) {
	c := manySettings()
	for i := range c.Settings {
		m := &c.Settings[i]
		m.MeanWorkers, m.PeakWorkers, m.WorkerSeconds, m.Turns = 99999.9, 99999, 999999.9, 9999
		m.Failed, m.Shed, m.Dropped = 99999, 99999, 99999
	}
	type span struct {
		from, to float64
		text     string
	}
	lines := make(map[float64][]span) // by height, in units of half a letter
	label := regexp.MustCompile(`<text x="([^"]+)" y="([^"]+)"[^>]*font-weight:(\w+)[^>]*font-size:([\d.]+)px[^>]*>([^<]*)<`)
	for _, found := range label.FindAllStringSubmatch(string(chart(t, c, "svg")), -1) {
		x, errX := strconv.ParseFloat(found[1], 64)
		y, errY := strconv.ParseFloat(found[2], 64)
		size, errSize := strconv.ParseFloat(found[4], 64)
		if err := errors.Join(errX, errY, errSize); err != nil {
			t.Fatal(err)
		}
		width := 0.6 * size
		if found[3] == "bold" {
			width = 0.7 * size
		}
		line := math.Round(y / 4)
		lines[line] = append(lines[line], span{x, x + width*float64(len([]rune(found[5]))), found[5]})
	}
	if len(lines) < 2*len(c.Settings) {
		t.Fatalf("found texts on %d lines", len(lines))
	}
	for _, spans := range lines {
		slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		for i := range len(spans) - 1 {
			if a, b := spans[i], spans[i+1]; a.to > b.from {
				t.Errorf("%q ends at %.0f, and %q begins at %.0f", a.text, a.to, b.text, b.from)
			}
		}
		if last := spans[len(spans)-1]; last.to > charts.Width {
			t.Errorf("%q ends at %.0f, beyond the edge at %d", last.text, last.to, charts.Width)
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

// A chart can be drawn of anything that was measured, and of nothing.
func TestChartOfLittle(t *testing.T) {
	for _, c := range []Comparison{
		{Title: "no samples", Queues: 1, Scalers: 1, Settings: []Measurement{{Queue: "fifo", Scaler: "demand", Elapsed: 1e-9}}},
		{Title: "long waits", Queues: 1, Scalers: 1, Settings: []Measurement{{WaitP50: 1e9, WaitP95: 1e9, WaitP99: 1e9, Elapsed: 1e9}}},
		{Title: "one sample", Queues: 1, Scalers: 1, Settings: []Measurement{{Elapsed: 1, Samples: []Sample{{At: 0.5, Workers: 1}}}}},
	} {
		texts(t, chart(t, c, "svg"))
		if _, err := png.Decode(bytes.NewReader(chart(t, c, "png"))); err != nil {
			t.Errorf("%s: %v", c.Title, err)
		}
	}
}

func TestUnwritableChart(t *testing.T) {
	err := manySettings().WriteChart(filepath.Join(t.TempDir(), "missing", "c.svg"))
	if err == nil || !strings.HasPrefix(err.Error(), "tasklab: -chart: open ") {
		t.Errorf("err = %v", err)
	}
}
