package tuning_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/tuning"
	"github.com/seed56799101/taskmanager/benchmarks/internal/charts"
)

// chart draws a result to a file and reads the file.
func chart(t *testing.T, r *tuning.Result, format string) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chart."+format)
	if err := r.WriteChart(name); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return drawn
}

var label = regexp.MustCompile(`<text x="([^"]+)"[^>]*font-weight:(\w+)[^>]*font-size:([\d.]+)px[^>]*>([^<]*)<`)

// A chart can be drawn of any quantities, of many settings and of one. It explains what it shows, and no
// text leaves it.
func TestChart(t *testing.T) {
	for _, tt := range []struct {
		objectives []string
		minimise   string
		settings   int
		want       []string
	}{
		{[]string{"p95 wait <= 100ms", "turns <= 20"}, "worker-seconds", 40, []string{
			"Worker-seconds against p95 wait: 40 settings that were tried", "objective: p95 wait &lt;= 100ms",
			"violates another objective", "tried on fewer tasks only, worker-seconds multiplied", "choice: ", "the choice on the second part",
		}},
		{[]string{"jain >= 0.5"}, "peak workers", 10, []string{"↑ jain", "objective: jain &gt;= 0.5", "peak workers"}},
		{[]string{"late <= 5%"}, "p99 wait", 10, []string{"objective: late &lt;= 5%", "↑ late", "0%"}},
		{[]string{"mean wait of a <= 0s"}, "worker-seconds", 1, []string{"↑ mean wait of a (log scale)", "0s"}},
		{[]string{"shed <= 0"}, "worker-seconds", 2, []string{"objective: shed &lt;= 0"}},
		{[]string{"worker-seconds <= 1"}, "worker-seconds", 5, []string{"objective: worker-seconds &lt;= 1"}},
	} {
		p := problem(t, jobs(t, 3200, 4), tt.objectives...)
		p.Settings = tt.settings
		var err error
		if p.Minimise, err = objective.ParseQuantity(tt.minimise); err != nil {
			t.Fatal(err)
		}
		r := tune(t, p)
		r.Title = "a workload"
		svg := chart(t, &r, "svg")
		contains(t, string(svg), tt.want...)
		for _, found := range label.FindAllStringSubmatch(string(svg), -1) {
			x, errX := strconv.ParseFloat(found[1], 64)
			size, errSize := strconv.ParseFloat(found[3], 64)
			if errX != nil || errSize != nil {
				t.Fatal(errX, errSize)
			}
			if end := x + 0.5*size*float64(len([]rune(found[4]))); x < 0 || end > charts.Width {
				t.Errorf("%q is from %.0f to %.0f, on a width of %d", found[4], x, end, charts.Width)
			}
		}
		if strings.Contains(string(svg), "NaN") {
			t.Errorf("%v: the chart has a place that is no number", tt.objectives)
		}
		if _, err := png.Decode(bytes.NewReader(chart(t, &r, "png"))); err != nil {
			t.Errorf("%v: %v", tt.objectives, err)
		}
	}
}

func TestUnwritableChart(t *testing.T) {
	p := problem(t, jobs(t, 100, 1), "p95 wait <= 1s")
	p.Settings = 1
	r := tune(t, p)
	err := r.WriteChart(filepath.Join(t.TempDir(), "missing", "c.svg"))
	if err == nil || !strings.HasPrefix(err.Error(), "tasklab: -chart: open ") {
		t.Errorf("err = %v", err)
	}
}
