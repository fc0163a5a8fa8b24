package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/simulation"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/source"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, labtest.IgnoreBubbles()) }

// command runs the program as a user would.
func command(t *testing.T, args ...string) (status subcommand.Status, stdout, stderr string) {
	t.Helper()
	return commandContext(t.Context(), args...)
}

func commandContext(ctx context.Context, args ...string) (status subcommand.Status, stdout, stderr string) {
	var out, err bytes.Buffer
	status = tasklab(ctx, args, &out, &err)
	return status, out.String(), err.String()
}

// Programs rely on the fields, and on their documentation.
func TestJSONFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ = bytes.Cut(doc, []byte("# JSON of run"))
	ofRun, ofSimulate, found := bytes.Cut(doc, []byte("# JSON of simulate"))
	if !found {
		t.Fatal("the JSON of simulate is not documented")
	}
	_, emptyRun, _ := command(t, "run", "-dir", t.TempDir(), "-json")
	_, small, _ := command(t, "simulate", "-json", "-jobs", "1", "-shape", "steady", "-scaler", "demand")
	for _, tt := range []struct {
		doc    []byte
		empty  string
		filled output.Report
	}{
		{ofRun, emptyRun, run.Report{Failures: make([]run.Failure, 1), Keys: make([]run.KeyReport, 1), Processes: make([]run.ProcessReport, 1)}},
		{ofSimulate, small, simulation.Simulation{
			Settings: []simulation.Result{{
				Keys: make([]simulation.Key, 1), Kinds: make([]simulation.Kind, 1), Series: make([]simulation.Interval, 1),
			}},
			Differences: []simulation.Difference{{Of: make([]simulation.FigureDifference, 1)}},
		}},
	} {
		if !strings.HasPrefix(tt.empty, "{") || strings.Contains(tt.empty, "null") {
			t.Error("not an object, or a field is null:\n" + tt.empty)
		}
		var filled strings.Builder
		if err := (output.Format{JSON: true}).Write(&filled, tt.filled); err != nil {
			t.Fatal(err)
		}
		for _, field := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(filled.String(), -1) {
			if !regexp.MustCompile(`(?m)^//\t.*\b` + field[1] + `\b`).Match(tt.doc) {
				t.Errorf("field %s is not documented", field[1])
			}
		}
	}
}

// The help and the documentation explain each name that a flag can be set to.
func TestChoicesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	of := func(command string) string {
		_, stdout, _ := commandContext(t.Context(), command, "-h")
		return stdout
	}
	both := slices.Concat(settings.Disciplines.Names(), settings.Overflows.Names(), settings.Scalers.Names(), settings.Restarts.Names())
	for help, choices := range map[string][]string{
		of("run"):      both,
		of("simulate"): slices.Concat(both, source.Shapes.Names(), source.Distributions.Names(), source.Formats.Names()),
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

func TestInterruptedBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Chdir(labtest.Tree(t, map[string]string{"a": "a"})) // the title breaks the line if the path is long
	status, stdout, stderr := commandContext(ctx, "run", "-dir", ".")
	if status != subcommand.Interrupted || !strings.Contains(stdout, "(interrupted)") || !strings.HasPrefix(stderr, "tasklab: interrupted; ") {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}

func TestSimulateInterruptedBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, stdout, stderr := commandContext(ctx, "simulate")
	if status != subcommand.Interrupted || stdout != "" || stderr != "tasklab: interrupted; 0 of 5 settings are simulated in full\n" {
		t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Setenv("TASKLAB_CLUSTER", "")
	dir := t.TempDir()
	file := filepath.Join(labtest.Tree(t, map[string]string{"file": ""}), "file")
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
		{"unknown discipline", []string{"run", "-dir", dir, "-queue", "fast"}, []string{`"fast" for flag -queue: choose one of fifo, lifo, priority, deadline, fair, codel, limitbykey; there may follow +limitbykey`}},
		{"parameter", []string{"run", "-dir", dir, "-scaler", "targetwait:fast"}, []string{`targetwait: wait is "fast"; it must be a duration from 1µs to 24h`}},
		{"clash", []string{"run", "-dir", dir, "-queue", "limitbykey:2", "-overflow", "caller-runs"}, []string{"these settings do not go together", "CallerRuns cannot be combined with LimitByKey"}},
		{"unknown overflow", []string{"run", "-dir", dir, "-overflow", "reject"}, []string{`"reject" for flag -overflow: choose one of block, drop-newest, drop-oldest, drop-worst, caller-runs`}},
		{"unknown scaler", []string{"run", "-dir", dir, "-scaler", "fast"}, []string{`"fast" for flag -scaler: choose one of demand, fixed, step, targetwait, utilisation, probe; there may follow +stabilise, +tolerance, +ratelimit`}},
		{"unknown restart", []string{"run", "-dir", dir, "-restart", "always"}, []string{`"always" for flag -restart: choose one of exponential, constant, decorrelated, never, intensity, budget`}},
		{"unknown shape", []string{"simulate", "-shape", "wave"}, []string{`"wave" for flag -shape: choose one of step, steady, poisson, burst, diurnal, onoff`, "simulate -h"}},
		{"unknown distribution", []string{"simulate", "-distribution", "normal"}, []string{`"normal" for flag -distribution: choose one of exponential, constant, lognormal, pareto`}},
		{"unknown in a list", []string{"simulate", "-queue", "fifo,fast"}, []string{`flag -queue: "fast": choose one of fifo, lifo`}},
		{"parameter in a list", []string{"simulate", "-scaler", "step:1s,step:0"}, []string{`flag -scaler: "step:0": step: wait is "0"; it must be a duration from 1µs to 24h`}},
		{"parameters that exclude each other", []string{"simulate", "-queue", "codel:2s:1s"}, []string{"codel:2s:1s with demand: ", "the target must be positive and not exceed the interval"}},
		{"workload", []string{"simulate", "-rate", "0", "-service", "-1s", "-duration", "0", "-jobs", "-1"}, []string{"-rate is 0", `-service is "-1s"`, "-duration is 0s", "-jobs is -1"}},
		{"no number", []string{"simulate", "-rate", "NaN"}, []string{"-rate is NaN"}},
		{"no end", []string{"simulate", "-shape", "step", "-duration", "0"}, []string{"-duration is 0s"}},
		{"tenants", []string{"simulate", "-tenants", "a:1,b:-1"}, []string{`flag -tenants: "b:-1": the share is "-1"; it must be a positive number`}},
		{"settings", []string{"simulate", "-min", "3,1", "-max", "2,9", "-limit", "-1", "-runs", "0", "-cores", "-1"}, []string{"-min, 3, exceeds -max, 2", "-limit is -1", "-runs is 0", "-cores is -1"}},
		{"no list", []string{"simulate", "-max", "2,x"}, []string{`flag -max: "x" is not a whole number`}},
		{"two workloads", []string{"simulate", "-trace", "t", "-rate", "5", "-shape", "poisson"}, []string{"-rate is for a synthetic load; leave it out, or -trace", "-shape is for"}},
		{"no trace", []string{"simulate", "-format", "csv", "-at", "x", "-window", "1s"}, []string{"-format is for a trace; leave it out, or give -trace", "-at is for a trace", "-window is for a trace"}},
		{"half a mapping", []string{"simulate", "-trace", "t", "-at", "x"}, []string{"-service is missing"}},
		{"other half", []string{"simulate", "-trace", "t", "-service", "x", "-format", "csv"}, []string{"-at is missing", "-format and the flags for columns exclude each other"}},
		{"expression", []string{"simulate", "-trace", "t", "-at", "x", "-service", "2*"}, []string{"the expression for service"}},
		{"runs of a trace", []string{"simulate", "-trace", "t", "-runs", "3"}, []string{"-runs is for a synthetic load"}},
		{"overflow without a limit", []string{"simulate", "-overflow", "block"}, []string{"-overflow is for a queue with a limit; leave it out, or give a positive -limit"}},
		{"clash of overflow", []string{"simulate", "-queue", "fifo,limitbykey:2", "-limit", "5", "-overflow", "caller-runs"}, []string{"limitbykey:2 with demand: ", "CallerRuns cannot be combined"}},
		{"time", []string{"simulate", "-real", "-cores", "2"}, []string{"-cores is for virtual time; leave it out, or -real"}},
		{"virtual time", []string{"simulate", "-cpu"}, []string{"-cpu is for real time; leave it out, or give -real"}},
		{"unknown form", []string{"simulate", "-chart", "chart.gif"}, []string{"-chart: chart.gif ends neither in .svg nor in .png"}},
		{"unwritable chart", []string{"simulate", "-chart", dir + "/x/c.svg"}, []string{"-chart: open " + dir}},
		{"argument of simulate", []string{"simulate", dir}, []string{"unexpected argument"}},
		{"no cluster", []string{"worker"}, []string{"TASKLAB_CLUSTER is not set", "or give -cluster URL", "worker -h"}},
		{"no variable", []string{"run", "-dir", dir, "-cluster", "env"}, []string{"TASKLAB_CLUSTER is not set"}},
		{"no server", []string{"run", "-dir", dir, "-cluster", "host:4222"}, []string{"-cluster: it is neither embed nor the URL of a NATS server, such as nats://127.0.0.1:4222"}},
		{"unknown flag", []string{"run", "-dirs", dir}, []string{"tasklab: flag provided but not defined: -dirs"}},
		{"argument", []string{"run", dir}, []string{"unexpected argument", "is given with -dir"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := command(t, tt.args...)
			if status != subcommand.BadUsage || stdout != "" {
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
	for _, args := range [][]string{{"-h"}, {"help"}, {"run", "-h"}, {"simulate", "-h"}} {
		status, stdout, stderr := command(t, args...)
		usage := "tasklab run -dir DIR"
		if args[0] == "simulate" {
			usage = "tasklab simulate [-trace FILE] [flags]"
		}
		if status != subcommand.OK || !strings.Contains(stdout, usage) || stderr != "" {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
}

// The documentation has the usage line of each subcommand.
func TestSubcommandsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subcommands {
		if !bytes.Contains(doc, []byte("\n//\t"+s.Usage()+"\n")) {
			t.Errorf("%q is not documented", s.Usage())
		}
	}
}

func TestHelpTellsTheChoices(t *testing.T) {
	_, stdout, _ := command(t, "run", "-h")
	for _, want := range []string{
		"(default fifo)", "(default block)",
		"  lifo          the newest\n", "a deadline 100ms + 1ms per KiB after",
		"\n                 :wait  the time in which they should start (1µs to 24h; default 100ms)\n",
		"as in targetwait:100ms:95:5s.", "  caller-runs  its submitter runs that task itself",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the help lacks %q:\n%s", want, stdout)
		}
	}
}
