package simulation

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

// manySettings has as many settings as a chart shows, with all kinds of values.
func manySettings() Simulation {
	s := Simulation{Workload: "a load", Tasks: 12_345, Span: 10, Work: 25, Overflow: "block"}
	for i, queue := range []string{"fifo", "codel"} {
		for j, scaler := range []string{"demand", "demand+stabilise", "step", "fixed"} {
			r := Result{Queue: queue, Scaler: scaler, Min: 1, Max: 99, Elapsed: 10 + float64(i)}
			r.Done, r.WaitP95, r.WaitP99 = 1000, 0.05, math.Pow(10, float64(j))
			for k := range 500 {
				at := float64(k) / 50
				r.Series = append(r.Series, Interval{
					At: at, Length: 1.0 / 50, Offered: 10 * at, Workers: float64(10 * (j + 1)),
					Started: k % 3, WaitMean: at / 1000, WaitMax: at * float64(1+i),
				})
			}
			s.Settings = append(s.Settings, r)
		}
	}
	return s
}

// chart draws a chart to a file and reads the file.
func chart(t *testing.T, s Simulation, format string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chart."+format)
	if err := s.WriteChart(name); err != nil {
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
	s := manySettings()
	all := "\n" + strings.Join(texts(t, chart(t, s, "svg")), "\n") + "\n"
	want := []string{
		"tasklab simulate: a load", "12,345 tasks (seed 0) in 10s, which would keep 2.5 workers busy on average",
		"seconds", "≤ 10ms", "100ms", "1s", "10s", "10", "workers (grey: as many as the load needs)",
	}
	for _, r := range s.Settings {
		want = append(want, r.Queue+", "+r.Scaler)
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
	s := manySettings()
	for i := range s.Settings {
		r := &s.Settings[i]
		r.PeakWorkers, r.WorkerSeconds, r.Turns = 9999, 999999.9, 9999
		r.WaitP50, r.WaitP95, r.WaitP99, r.WaitMax = 99.9e-3, 99.9e-3, 99.9e-3, 99.9e-3
		r.Failed, r.Shed, r.Dropped = 99999, 99999, 99999
	}
	type span struct {
		from, to float64
		text     string
	}
	lines := make(map[float64][]span) // by height, in units of half a letter
	label := regexp.MustCompile(`<text x="([^"]+)" y="([^"]+)"[^>]*font-weight:(\w+)[^>]*font-size:([\d.]+)px[^>]*>([^<]*)<`)
	for _, found := range label.FindAllStringSubmatch(string(chart(t, s, "svg")), -1) {
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
	if len(lines) < 2*len(s.Settings) {
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
	s := manySettings()
	img, err := png.Decode(bytes.NewReader(chart(t, s, "png")))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 1000 || size.Y < 100*len(s.Settings) {
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
	for i := range s.Settings {
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
	for _, r := range []Result{
		{},
		{Elapsed: 1e9, Series: []Interval{{Length: 1e9, Started: 1, WaitMean: 1e9, WaitMax: 1e9, Workers: 1e6, Offered: 1e6}}},
		{Elapsed: 1e-9, Series: []Interval{{Length: 1e-9, Started: 1}}},
		{Elapsed: 1, Series: []Interval{{Length: 1}}},
	} {
		s := Simulation{Workload: "little", Settings: []Result{r}}
		texts(t, chart(t, s, "svg"))
		if _, err := png.Decode(bytes.NewReader(chart(t, s, "png"))); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestChartOfMany(t *testing.T) {
	s := manySettings()
	s.Settings = append(s.Settings, s.Settings[0])
	if all := strings.Join(texts(t, chart(t, s, "svg")), "\n"); !strings.Contains(all, "; the first 8 of 9 settings") {
		t.Error(all)
	}
}

// Combined intervals have the same work, worker time and waits.
func TestCoarse(t *testing.T) {
	series := []Interval{
		{At: 0, Length: 1, Offered: 4, Workers: 2, Started: 1, WaitMean: 5, WaitMax: 5},
		{At: 1, Length: 1, Offered: 2, Workers: 4, Started: 3, WaitMean: 1, WaitMax: 2},
		{At: 2, Length: 1, Offered: 7, Workers: 1},
	}
	want := []Interval{
		{At: 0, Length: 2, Offered: 3, Workers: 3, Started: 4, WaitMean: 2, WaitMax: 5},
		{At: 2, Length: 1, Offered: 7, Workers: 1},
	}
	if diff := gocmp.Diff(want, coarse(series, 2)); diff != "" {
		t.Error("combined (-want +got):\n" + diff)
	}
	if diff := gocmp.Diff(series, coarse(series, 3)); diff != "" {
		t.Error("not combined (-want +got):\n" + diff)
	}
}

func TestUnwritableChart(t *testing.T) {
	err := manySettings().WriteChart(filepath.Join(t.TempDir(), "missing", "c.svg"))
	if err == nil || !strings.HasPrefix(err.Error(), "-chart: open ") {
		t.Errorf("err = %v", err)
	}
}
