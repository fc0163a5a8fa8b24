package tune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/tune"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, labtest.IgnoreBubbles()) }

// small are the flags of a search that takes little time.
func small(more ...string) []string {
	return append([]string{"-shape", "poisson", "-rate", "40", "-jobs", "1000", "-settings", "20"}, more...)
}

// trace writes a trace to a file.
func trace(t *testing.T, lines ...string) string {
	t.Helper()
	return filepath.Join(labtest.Tree(t, map[string]string{"trace.csv": "at,service,key\n" + strings.Join(lines, "\n") + "\n"}), "trace.csv")
}

func TestMet(t *testing.T) {
	status, stdout, stderr := labtest.Execute(t, tune.Subcommand, small("-objective", "p95 wait <= 100ms")...)
	if status != subcommand.OK {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	for line := range strings.Lines(stderr) {
		if !strings.HasSuffix(line, " tasks\n") { // the progress
			t.Errorf("stderr has %q", line)
		}
	}
	for _, want := range []string{
		"workload     poisson load, 40 tasks/s", "objective    p95 wait <= 100ms\n", "20 settings", " → ", "│ p95 wait ",
		"The choice meets all objectives on both parts.", "\ttaskmanager.WithScaler(",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout)
		}
	}
}

func TestTrace(t *testing.T) {
	file := trace(t, "0,0.1,a", "0.05,0.1,a", "0.1,0.1,b", "0.3,0.1,a", "0.4,0.1,b")
	status, stdout, _ := labtest.Execute(t, tune.Subcommand, "-trace", file, "-objective", "max wait of b <= 0s", "-minimise", "peak-workers",
		"-settings", "30", "-idle-timeout", "3s", "-queue", "fifo,lifo", "-cores", "4", "-json")
	var got struct {
		Minimise string
		Options  []string
		Settings []struct {
			Idle float64 `json:"idle_timeout_s"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if status != subcommand.OK || got.Minimise != "peak workers" || len(got.Options) != 4 || len(got.Settings) != 30 {
		t.Errorf("status %d, %+v", status, got)
	}
	for _, s := range got.Settings {
		if s.Idle != 3 && s.Idle != 10 { // 10 stands for any, with a fixed number of workers
			t.Errorf("the idle timeout is %v s, despite the flag", s.Idle)
		}
	}
}

func TestNotMet(t *testing.T) {
	status, stdout, stderr := labtest.Execute(t, tune.Subcommand, small("-objective", "worker-seconds <= 1")...)
	if status != subcommand.Failed || !strings.Contains(stdout, "NO SETTING MEETS THE OBJECTIVES") || !strings.Contains(stderr, "tasklab: no setting meets the objectives\n") {
		t.Errorf("status %d, stderr %q, stdout:\n%s", status, stderr, stdout)
	}
}

func TestNotMetOnTheSecondPart(t *testing.T) {
	status, stdout, stderr := labtest.Execute(t, tune.Subcommand,
		"-rate", "40", "-duration", "30s", "-split", "0.19", "-settings", "20", "-objective", "worker-seconds <= 15", "-objective", "p95 wait <= 300ms")
	if status != subcommand.Failed || !strings.Contains(stdout, "THE CHOICE DOES NOT HOLD ON THE SECOND PART") || !strings.Contains(stderr, "on the second part\n") {
		t.Errorf("status %d, stderr %q, stdout:\n%s", status, stderr, stdout)
	}
}

// The first tasks are used if there are too many.
func TestFirst(t *testing.T) {
	_, stdout, stderr := labtest.Execute(t, tune.Subcommand, small("-objective", "p95 wait <= 1s", "-first", "100", "-json")...)
	if !strings.Contains(stderr, "tasklab: the workload has more than 100 tasks; the search uses the first ones only, see -first\n") {
		t.Errorf("stderr %q", stderr)
	}
	if !strings.Contains(stdout, `"workload_cut": true`) {
		t.Error(stdout)
	}
}

func TestChart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chart.svg")
	status, _, stderr := labtest.Execute(t, tune.Subcommand, small("-objective", "p95 wait <= 100ms", "-chart", file)...)
	svg, err := os.ReadFile(file)
	if err != nil || status != subcommand.OK {
		t.Fatal(status, stderr, err)
	}
	for _, want := range []string{"Worker-seconds against p95 wait", "objective: p95 wait &lt;= 100ms", "choice: ", "the choice on the second part", ">demand<"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("the chart has no text %q", want)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	status := tune.Subcommand.Execute(ctx, small("-objective", "p95 wait <= 100ms"), &stdout, &stderr)
	if status != subcommand.Interrupted || stderr.String() != "tasklab: interrupted before any setting was tried\n" {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

// Each error names what is wrong.
func TestUsageErrors(t *testing.T) {
	ok := []string{"-objective", "p99 wait <= 1s"}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no objective", nil, "tasklab: -objective is missing; give one, such as -objective 'p99 wait <= 200ms'"},
		{"unreadable objective", []string{"-objective", "p99 wat <= 1s"}, `for flag -objective: "p99 wat <= 1s", word 2: expected wait, sojourn, run or slowdown after p99, not "wat"`},
		{"impossible objective", []string{"-objective", "jain >= 2"}, `"jain >= 2" is never met: jain is never above 1`},
		{"duplicate objectives", append(ok, "-objective", "p99 wait <= 2s"), `tasklab: -objective: "p99 wait <= 1s" and "p99 wait <= 2s" bound the same quantity; leave one of them out`},
		{"contradictory objectives", append(ok, "-objective", "p95 wait >= 2s"), `"p95 wait >= 2s" contradicts "p99 wait <= 1s": no setting can meet both`},
		{"unknown quantity", append(ok, "-minimise", "cost"), `for flag -minimise: "cost", word 1: expected mean, max, a percentile`},
		{"settings", append(ok, "-settings", "0"), "-settings is 0; it must be 1 or more"},
		{"split", append(ok, "-split", "1"), "-split is 1; it must be between 0 and 1"},
		{"margin", append(ok, "-margin", "1"), "-margin is 1; it must be 0 or more, and below 1"},
		{"first", append(ok, "-first", "1"), "-first is 1; it must be 2 or more"},
		{"cores", append(ok, "-cores", "-1"), "-cores is -1; it must be positive"},
		{"bounds", append(ok, "-min", "3", "-max", "2"), "-min, 3, exceeds -max, 2"},
		{"unknown scaler", append(ok, "-scaler", "fast"), `"fast"`},
		{"two workloads", append(ok, "-trace", "x.csv", "-rate", "5"), "-rate is for a synthetic load; leave it out, or -trace"},
		{"chart", append(ok, "-chart", "chart.gif"), "-chart: chart.gif ends neither in .svg nor in .png"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := labtest.Execute(t, tune.Subcommand, tt.args...)
			if status != subcommand.BadUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
		})
	}
}

// Each error of the workload names what is wrong with it.
func TestWorkloadErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"no file", []string{"-trace", filepath.Join(t.TempDir(), "missing.csv")}, []string{"missing.csv"}},
		{"malformed line", []string{"-trace", trace(t, "0,0.1,a", "1,slow,a")}, []string{"trace.csv", "line 3", "slow"}},
		{"times that go backwards", []string{"-trace", trace(t, "5,0.1,a", "1,0.1,a")}, []string{"trace.csv", "line 3"}},
		{"empty", []string{"-trace", trace(t)}, []string{"trace.csv"}},
		{"an empty part", []string{"-trace", trace(t, "1,0.1,a", "1,0.1,a")}, []string{"tasklab: -split 0.5 leaves no jobs for the first part"}},
		{"unknown key", []string{"-trace", trace(t, "1,0.1,a", "3,0.1,a"), "-objective", "late of b <= 1%"}, []string{`tasklab: "late of b <= 1%": the key "b" does not occur in the workload`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := labtest.Execute(t, tune.Subcommand, append(tt.args, "-objective", "p99 wait <= 1s")...)
			if status != subcommand.Failed || stdout != "" || strings.Count(stderr, "tasklab: ") != 1 {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q: %s", want, stderr)
				}
			}
		})
	}
}
