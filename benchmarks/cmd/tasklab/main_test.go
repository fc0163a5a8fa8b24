package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// command runs the program as a user would.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return commandContext(t.Context(), args...)
}

func commandContext(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = tasklab(ctx, args, &out, &err)
	return status, out.String(), err.String()
}

// tree makes a directory with files of the given contents.
func tree(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range contents {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// reproducible compares what does not differ from run to run of a report.
var reproducible = cmp.Options{
	cmp.AllowUnexported(report{}, keyReport{}),
	cmpopts.IgnoreFields(report{}, "Elapsed", "FilesPerSecond", "BytesPerSecond",
		"QueueWaitP50", "QueueWaitP99", "RunTimeP50", "RunTimeP99", "PeakWorkers", "PeakBusy", "files"),
	cmpopts.IgnoreFields(keyReport{}, "QueueWaitP50", "QueueWaitP99", "waits"),
	cmpopts.IgnoreFields(tally{}, "Late"),
}

func TestJSONAndList(t *testing.T) {
	large := strings.Repeat("0123456789\n", 100_000) // several buffers
	dir := tree(t, map[string]string{
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

	status, stdout, stderr := command(t, "run", "-dir", dir, "-min", "2", "-max", "3", "-json", "-list", list)
	if status != exitOK || stderr != "" {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	var got report
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	digested := sum("x\n") + "  a-b\n" + sum("") + "  a/empty\n" + sum(large) + "  a/large\n" +
		sum("one\ntwo\nthree") + "  b.txt\n" + sum("\n\n") + "  deep/1/2/3\n" + sum("d") + "  deep/1/2/34\n" +
		sum("n") + "  new\nline\n"
	all := int64(len(large) + 19)
	share := func(bytes int64) float64 { return float64(bytes) / float64(all) }
	want := report{
		Dir:        dir,
		Queue:      "fifo",
		Limit:      256,
		Overflow:   "block",
		Scaler:     "demand",
		Restart:    "exponential",
		Retries:    3,
		tally:      tally{Found: 7, Read: 7, Bytes: all},
		Skipped:    1,
		Lines:      100_005,
		Digest:     sum(digested),
		WorkersMin: 2,
		WorkersMax: 3,
		Failures:   []failure{},
		Keys: []keyReport{
			{Key: ".", tally: tally{Found: 3, Read: 3, Bytes: 16}, BytesShare: share(16)},
			{Key: "a", tally: tally{Found: 2, Read: 2, Bytes: all - 19}, BytesShare: share(all - 19)},
			{Key: "deep", tally: tally{Found: 2, Read: 2, Bytes: 3}, BytesShare: share(3)},
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

// Programs rely on the fields, and on their documentation.
func TestJSONFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ = bytes.Cut(doc, []byte("# JSON of run"))
	ofRun, ofCompare, found := bytes.Cut(doc, []byte("# JSON of compare"))
	if !found {
		t.Fatal("the JSON of compare is not documented")
	}
	for _, tt := range []struct {
		doc           []byte
		empty, filled any
	}{
		{ofRun, report{Failures: []failure{}, Keys: keyReports(nil, 0)}, report{Failures: make([]failure, 1), Keys: make([]keyReport, 1)}},
		{ofCompare, newComparison(compareConfig{}, &synthetic{}), comparison{Settings: []measurement{{Samples: make([]sample, 1)}}}},
	} {
		var nothing, something strings.Builder
		if err := errors.Join(writeJSON(&nothing, tt.empty), writeJSON(&something, tt.filled)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(nothing.String(), "null") {
			t.Error("a field is null:\n" + nothing.String())
		}
		for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(something.String(), -1) {
			if !regexp.MustCompile(`(?m)^//\t.*\b` + field[1] + `\b`).Match(tt.doc) {
				t.Errorf("field %s is not documented", field[1])
			}
		}
	}
}

// Each name that a flag can be set to is explained, in the help and in the
// documentation.
func TestChoicesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	all := func(lists ...string) []string { return strings.Split(strings.Join(lists, ", "), ", ") }
	of := func(command string) string {
		_, stdout, _ := commandContext(t.Context(), command, "-h")
		return stdout
	}
	both := all(names(disciplines, ""), names(overflows, ""), names(scalers, ""), names(scalerVariants, ""))
	for help, choices := range map[string][]string{
		of("run"):     append(both, all(names(restarts, ""))...),
		of("compare"): append(both, all(names(shapes, ""))...),
	} {
		for _, name := range choices {
			if !regexp.MustCompile(`(?m)^  (…\+)?` + name + `  `).MatchString(help) {
				t.Errorf("%s is not explained in the help:\n%s", name, help)
			}
			if !regexp.MustCompile(`(?m)^//.*\b` + name + `\b`).Match(doc) {
				t.Errorf("%s is not documented", name)
			}
		}
	}
}

func TestUnwritableList(t *testing.T) {
	list := filepath.Join(t.TempDir(), "missing", "list")
	status, stdout, stderr := command(t, "run", "-dir", t.TempDir(), "-list", list)
	if status != exitFailed || !strings.Contains(stderr, "tasklab: -list: open "+list) || !strings.Contains(stdout, "files read") {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}

func TestInterruptedBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, stdout, stderr := commandContext(ctx, "run", "-dir", tree(t, map[string]string{"a": "a"}))
	if status != exitInterrupted || !strings.Contains(stdout, "(interrupted)") || !strings.HasPrefix(stderr, "tasklab: interrupted; ") {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}

func TestCompareInterruptedBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"compare"}, {"compare", "-dir", tree(t, map[string]string{"a": "a"})}} {
		status, _, stderr := commandContext(ctx, args...)
		if status != exitInterrupted || !strings.HasPrefix(stderr, "tasklab: interrupted; ") {
			t.Errorf("%v: status %d, stderr:\n%s", args, status, stderr)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(tree(t, map[string]string{"file": ""}), "file")
	for _, tt := range []struct {
		name string
		args []string
		want []string // in the standard error
	}{
		{"nothing", nil, []string{"Usage:"}},
		{"unknown command", []string{"walk"}, []string{`no command "walk"`, "Usage:"}},
		{"no directory", []string{"run"}, []string{"tasklab: -dir is missing", "run -h"}},
		{"missing directory", []string{"run", "-dir", dir + "/x"}, []string{"tasklab: -dir: stat " + dir}},
		{"file", []string{"run", "-dir", file}, []string{"file is not a directory"}},
		{"bounds", []string{"run", "-dir", dir, "-min", "3", "-max", "2"}, []string{"-min, 3, exceeds -max, 2"}},
		{"numbers", []string{"run", "-dir", dir, "-min", "-1", "-max", "0", "-limit", "-2", "-retries", "-3"}, []string{"-min is -1", "-max is 0", "-limit is -2", "-retries is -3"}},
		{"times", []string{"run", "-dir", dir, "-idle-timeout", "0", "-grace", "-1s"}, []string{"-idle-timeout is 0s", "-grace is -1s"}},
		{"unknown discipline", []string{"run", "-dir", dir, "-queue", "fast"}, []string{`"fast" for flag -queue: choose one of fifo, lifo, priority, deadline, fair, codel`}},
		{"unknown overflow", []string{"run", "-dir", dir, "-overflow", "reject"}, []string{`"reject" for flag -overflow: choose one of block, drop-newest, drop-oldest, drop-worst, caller-runs`}},
		{"unknown scaler", []string{"run", "-dir", dir, "-scaler", "fast"}, []string{`"fast" for flag -scaler: choose one of demand, fixed, step, targetwait, utilisation, probe; there may follow +stabilise, +tolerance, +ratelimit`}},
		{"unknown restart", []string{"run", "-dir", dir, "-restart", "always"}, []string{`"always" for flag -restart: choose one of exponential, constant, decorrelated, never, intensity, budget`}},
		{"unknown shape", []string{"compare", "-shape", "wave"}, []string{`"wave" for flag -shape: choose one of step, steady, poisson, burst`, "compare -h"}},
		{"unknown in a list", []string{"compare", "-queue", "fifo,fast"}, []string{`flag -queue: "fast": choose one of fifo, lifo`}},
		{"workload", []string{"compare", "-rate", "0", "-service", "-1s", "-duration", "0"}, []string{"-rate is 0", "-service is -1s", "-duration is 0s"}},
		{"no number", []string{"compare", "-rate", "NaN"}, []string{"-rate is NaN"}},
		{"too much", []string{"compare", "-rate", "1e6", "-duration", "1h"}, []string{"-rate times -duration is 3.6e+09 tasks; it must be at most 1000000"}},
		{"settings", []string{"compare", "-min", "3", "-max", "2", "-limit", "-1"}, []string{"-min, 3, exceeds -max, 2", "-limit is -1"}},
		{"two workloads", []string{"compare", "-dir", dir, "-rate", "5", "-cpu"}, []string{"-rate is for a synthetic workload; leave it out, or -dir", "-cpu is for"}},
		{"no such directory", []string{"compare", "-dir", dir + "/x"}, []string{"tasklab: -dir: stat " + dir}},
		{"unknown form", []string{"compare", "-chart", "chart.gif"}, []string{"-chart: chart.gif ends neither in .svg nor in .png"}},
		{"unwritable chart", []string{"compare", "-chart", dir + "/x/c.svg"}, []string{"-chart: open " + dir}},
		{"argument of compare", []string{"compare", dir}, []string{"unexpected argument"}},
		{"unknown flag", []string{"run", "-dirs", dir}, []string{"tasklab: flag provided but not defined: -dirs"}},
		{"argument", []string{"run", dir}, []string{"unexpected argument", "is given with -dir"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := command(t, tt.args...)
			if status != exitUsage || stdout != "" {
				t.Errorf("status %d, stdout %q", status, stdout)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"help"}, {"run", "-h"}, {"compare", "-h"}} {
		status, stdout, stderr := command(t, args...)
		usage := "tasklab run -dir DIR"
		if args[0] == "compare" {
			usage = "tasklab compare [flags]"
		}
		if status != exitOK || !strings.Contains(stdout, usage) || stderr != "" {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
}

func TestHelpTellsTheChoices(t *testing.T) {
	_, stdout, _ := command(t, "run", "-h")
	for _, want := range []string{
		"(default fifo)", "(default block)",
		"  fifo      the one that was found first\n", "  deadline  the most urgent; a file is due 100ms + 1ms per KiB after",
		"  caller-runs  the walk reads that file itself\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the help lacks %q:\n%s", want, stdout)
		}
	}
}
