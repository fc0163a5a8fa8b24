package run

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// A recorded run has a job for each file, also for one that could not be read. Telemetry goes on beside it.
func TestRecord(t *testing.T) {
	r := newReceiver(t)
	dir := labtest.Tree(t, map[string]string{"top": "12345", "a/empty": "", "a/b/large": strings.Repeat("x", 5000), "c/gone": ""})
	if err := os.Chmod(filepath.Join(dir, "c/gone"), 0); err != nil {
		t.Fatal(err)
	}
	broken := os.Geteuid() != 0 // root can read it
	file := filepath.Join(t.TempDir(), "trace.csv")
	status, _, stderr := labtest.Execute(t, Subcommand, "-dir", dir, "-restart", "constant", "-retries", "2", "-record", file)
	if want := map[bool]subcommand.Status{false: subcommand.OK, true: subcommand.Failed}[broken]; status != want || stderr != "" {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	if spans := r.spans["run read top"]; spans != 1 {
		t.Errorf("there are %d spans of a file", spans)
	}
	var got []simulate.Job
	for j, err := range trace.Open(file, trace.CSV()) {
		if err != nil {
			t.Fatal(err)
		}
		if j.Service <= 0 || j.Deadline <= 0 || j.At < 0 {
			t.Errorf("a time of %+v cannot be", j)
		}
		j.At, j.Service, j.Deadline = 0, 0, 0
		got = append(got, j)
	}
	gone := simulate.Job{Kind: "read", Key: "c", Cost: 1}
	if broken {
		gone.Fails = 3
	}
	// The arrivals are some microseconds apart, and known to microseconds, so their order may differ.
	slices.SortFunc(got, func(a, b simulate.Job) int {
		return cmp.Or(strings.Compare(b.Key, a.Key), int(b.Cost-a.Cost))
	})
	want := []simulate.Job{
		gone, {Kind: "read", Key: "a", Cost: 5000, Priority: -13}, {Kind: "read", Key: "a", Cost: 1}, {Kind: "read", Key: ".", Cost: 5, Priority: -3},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

// A trace that exists is not touched, nor mistaken for that of the run.
func TestRecordOverAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(file, []byte("at,service\n0,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := labtest.Execute(t, Subcommand, "-dir", t.TempDir(), "-record", file)
	if want := "tasklab: -record: " + file + " exists; remove it, or name another file\nTry tasklab run -h.\n"; status != subcommand.BadUsage || stderr != want {
		t.Errorf("status %d, stderr:\n%s", status, stderr)
	}
	content, err := os.ReadFile(file)
	if err != nil || string(content) != "at,service\n0,1\n" {
		t.Errorf("the file is %q: %v", content, err)
	}
}

func TestUnwritableRecord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing", "trace.csv")
	status, stdout, stderr := labtest.Execute(t, Subcommand, "-dir", t.TempDir(), "-record", file)
	if status != subcommand.Failed || !strings.HasPrefix(stderr, "tasklab: -record: record: ") || !strings.Contains(stderr, "missing: no such file or directory") || stdout != "" {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}
