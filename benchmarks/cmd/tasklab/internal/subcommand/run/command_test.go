package run

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// reproducible compares the parts of reports that are the same in every run.
var reproducible = cmp.Options{
	cmp.AllowUnexported(Report{}, KeyReport{}),
	cmpopts.IgnoreFields(Report{}, "Elapsed", "FilesPerSecond", "BytesPerSecond",
		"QueueWaitP50", "QueueWaitP99", "RunTimeP50", "RunTimeP99", "PeakWorkers", "PeakBusy", "files"),
	cmpopts.IgnoreFields(KeyReport{}, "QueueWaitP50", "QueueWaitP99", "waits"),
	cmpopts.IgnoreFields(measure.Tally{}, "Late"),
}

func TestJSONAndList(t *testing.T) {
	large := strings.Repeat("0123456789\n", 100_000) // several buffers
	dir := labtest.Tree(t, map[string]string{
		"b.txt":       "one\ntwo\nthree", // the last line has no newline
		"a/empty":     "",
		"a/large":     large,
		"a-b":         "x\n", // sorts between the directory a and its files
		"new\nline":   "n",
		"deep/1/2/3":  "\n\n",
		"deep/1/2/34": "d",
	})
	if err := os.Symlink("b.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "list")

	status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", dir, "-min", "2", "-max", "3", "-json", "-list", list)
	if status != subcommand.OK || stderr != "" {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	var got Report
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	digested := sum("x\n") + "  a-b\n" + sum("") + "  a/empty\n" + sum(large) + "  a/large\n" +
		sum("one\ntwo\nthree") + "  b.txt\n" + sum("\n\n") + "  deep/1/2/3\n" + sum("d") + "  deep/1/2/34\n" +
		sum("n") + "  new\nline\n"
	all := int64(len(large) + 19)
	share := func(bytes int64) float64 { return float64(bytes) / float64(all) }
	want := Report{
		Dir:        dir,
		Queue:      "fifo",
		Limit:      256,
		Overflow:   "block",
		Scaler:     "demand",
		Restart:    "exponential",
		Retries:    3,
		Tally:      measure.Tally{Found: 7, Read: 7, Bytes: all},
		Skipped:    1,
		Lines:      100_005,
		Digest:     sum(digested),
		WorkersMin: 2,
		WorkersMax: 3,
		Failures:   []Failure{},
		Processes:  []ProcessReport{},
		Keys: []KeyReport{
			{Key: ".", Tally: measure.Tally{Found: 3, Read: 3, Bytes: 16}, BytesShare: share(16)},
			{Key: "a", Tally: measure.Tally{Found: 2, Read: 2, Bytes: all - 19}, BytesShare: share(all - 19)},
			{Key: "deep", Tally: measure.Tally{Found: 2, Read: 2, Bytes: 3}, BytesShare: share(3)},
		},
	}
	if diff := cmp.Diff(want, got, reproducible); diff != "" {
		t.Error("report (-want +got):\n" + diff)
	}
	if got.PeakBusy < 1 || got.PeakWorkers < got.PeakBusy || got.PeakWorkers > 3 || got.Elapsed <= 0 {
		t.Errorf("these cannot be: %+v", got)
	}

	lines, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	wantLines := sum("x\n") + "  1  a-b\n" + sum("") + "  0  a/empty\n" + sum(large) + "  100000  a/large\n" +
		sum("one\ntwo\nthree") + "  2  b.txt\n" + sum("\n\n") + "  2  deep/1/2/3\n" + sum("d") + "  0  deep/1/2/34\n" +
		sum("n") + `  0  "new\nline"` + "\n"
	if diff := cmp.Diff(wantLines, string(lines)); diff != "" {
		t.Error("list (-want +got):\n" + diff)
	}
}

func TestUnwritableList(t *testing.T) {
	list := filepath.Join(t.TempDir(), "missing", "list")
	status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", t.TempDir(), "-list", list)
	if status != subcommand.Failed || !strings.Contains(stderr, "tasklab: -list: open "+list) || !strings.Contains(stdout, "files read") {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}
