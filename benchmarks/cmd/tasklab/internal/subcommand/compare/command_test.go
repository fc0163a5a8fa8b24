package compare

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/comparison"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCompareCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chart.svg")
	status, stdout, stderr := labtest.Execute(t, Subcommand, "-queue", "fifo,lifo", "-scaler", "fixed,demand",
		"-rate", "500", "-service", "1ms", "-shape", "poisson", "-duration", "100ms", "-seed", "7", "-json", "-chart", file)
	if status != subcommand.OK {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	var got comparison.Comparison
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	c, err := Subcommand.Parse([]string{"-rate", "500", "-service", "1ms", "-shape", "poisson", "-duration", "100ms", "-seed", "7"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tasks := c.(*command).synthetic.Draw().Tasks()
	want := comparison.Comparison{
		Shape: "poisson", Rate: 500, Service: 1, Duration: 0.1, Seed: 7, Tasks: tasks,
		WorkersMin: 1, WorkersMax: 100, IdleTimeout: 1, Limit: 10_000, Overflow: "block", SampleInterval: 1,
	}
	for _, queue := range []string{"fifo", "lifo"} {
		for _, scaler := range []string{"fixed", "demand"} {
			want.Settings = append(want.Settings, comparison.Measurement{Queue: queue, Scaler: scaler, Tasks: tasks, Done: tasks})
		}
	}
	reproducible := cmp.Options{
		cmpopts.IgnoreFields(comparison.Comparison{}, "Title", "Offered", "Queues", "Scalers"),
		cmpopts.IgnoreFields(comparison.Measurement{}, "Late", "Elapsed", "WaitP50", "WaitP95", "WaitP99", "RunP50",
			"MeanWorkers", "PeakWorkers", "WorkerSeconds", "Turns", "Lag", "Samples"),
	}
	if diff := cmp.Diff(want, got, reproducible); diff != "" {
		t.Error("comparison (-want +got):\n" + diff)
	}
	drawn, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Settings {
		if len(m.Samples) == 0 || m.PeakWorkers < 1 || m.WorkerSeconds <= 0 {
			t.Errorf("%s, %s: %d samples, %+v", m.Queue, m.Scaler, len(m.Samples), m)
		}
		if !strings.Contains(string(drawn), ">"+m.Queue+", "+m.Scaler+"<") {
			t.Errorf("the chart does not name %s, %s", m.Queue, m.Scaler)
		}
	}
}

func TestCompareCommandOnFiles(t *testing.T) {
	dir := labtest.Tree(t, map[string]string{"a": "1", "b/c": "2", "b/d": "3"})
	status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", dir, "-queue", "fifo,priority,fair", "-scaler", "demand", "-max", "2")
	if status != subcommand.OK || stderr != "" {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	for _, want := range []string{"tasklab compare: the files below " + dir, "scaler demand", "│ fifo ", "│ priority ", "│ fair "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in the table:\n%s", want, stdout)
		}
	}
	status, stdout, stderr = labtest.Execute(t, Subcommand, "-dir", t.TempDir())
	if status != subcommand.Failed || stdout != "" || !strings.Contains(stderr, "there are no files in it") {
		t.Errorf("of an empty directory: status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}
