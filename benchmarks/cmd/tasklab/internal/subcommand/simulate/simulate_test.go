package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/simulation"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, labtest.IgnoreBubbles()) }

// execute executes the command, which must succeed.
func execute(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	status, stdout, stderr := labtest.Execute(t, Subcommand, args...)
	if status != subcommand.OK {
		t.Fatalf("status %d, stderr:\n%s", status, stderr)
	}
	return stdout
}

// executeJSON executes the command and reads its JSON.
func executeJSON(t *testing.T, args ...string) (s simulation.Simulation) {
	t.Helper()
	if err := json.Unmarshal([]byte(execute(t, append(args, "-json")...)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes a trace.
func write(t *testing.T, content string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// byHand is a trace small enough to compute its results by hand.
const byHand = `at,service,kind,key,deadline
0,1,x,a,0.9
0.1,1,x,a,0.9
0.2,0.5,x,a,0.9
0.3,0.5,y,b,0.9
0.4,0.15,y,b,0.9
`

func TestByHand(t *testing.T) {
	s := executeJSON(t, "-trace", write(t, byHand), "-queue", "fifo,lifo", "-scaler", "demand,fixed", "-max", "2", "-idle-timeout", "1m")
	// Two tasks start at once. Under FIFO the others start at 1000, 1100 and 1500 ms;
	// under LIFO the last at 1000, the fourth at 1100 and the third at 1150.
	type row struct {
		Queue, Scaler                      string
		Tasks, Done, Late, Peak            int
		Mean, P50, P95, Max, Workers, Ends float64
	}
	var got []row
	for _, r := range s.Settings {
		got = append(got, row{r.Queue, r.Scaler, r.Tasks, r.Done, r.Late, r.PeakWorkers, r.WaitMean, r.WaitP50, r.WaitP95, r.WaitMax, r.WorkerSeconds, r.Elapsed})
	}
	want := []row{
		{"fifo", "demand", 5, 5, 1, 2, 0.54, 0.8, 1.1, 1.1, 3.2, 1.65}, // one worker exists from 100 ms on
		{"fifo", "fixed", 5, 5, 1, 2, 0.54, 0.8, 1.1, 1.1, 3.3, 1.65},
		{"lifo", "demand", 5, 5, 1, 2, 0.47, 0.6, 0.95, 0.95, 3.2, 1.65},
		{"lifo", "fixed", 5, 5, 1, 2, 0.47, 0.6, 0.95, 0.95, 3.3, 1.65},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); diff != "" {
		t.Error("settings (-want +got):\n" + diff)
	}
	if s.Tasks != 5 || s.Span != 0.4 || s.Work != 3.15 || s.Partial || len(s.Settings[0].Series) == 0 {
		t.Errorf("%+v", s)
	}
	keys, kinds := s.Settings[0].Keys, s.Settings[0].Kinds
	if len(keys) != 2 || keys[0].Key != "a" || keys[0].Tasks != 3 || keys[1].WaitMax != 1.1 || len(kinds) != 2 || kinds[1].Kind != "y" || kinds[1].Tasks != 2 {
		t.Errorf("keys %+v\nkinds %+v", keys, kinds)
	}
}

// Programs outside of this project use these names.
func TestJSONNames(t *testing.T) {
	var s struct{ Settings []map[string]any }
	if err := json.Unmarshal([]byte(execute(t, "-trace", write(t, byHand), "-json", "-scaler", "demand")), &s); err != nil {
		t.Fatal(err)
	}
	setting := s.Settings[0]
	for name := range strings.FieldsSeq("min max tasks wait_mean_s wait_p50_s wait_p95_s wait_p99_s sojourn_p99_s run_mean_s worker_seconds " +
		"peak_workers turns shed dropped failed late jain elapsed_s") {
		if _, number := setting[name].(float64); !number {
			t.Errorf("%s is %v", name, setting[name])
		}
	}
	if setting["queue"] != "fifo" || setting["scaler"] != "demand" {
		t.Errorf("queue %v, scaler %v", setting["queue"], setting["scaler"])
	}
	key := setting["keys"].([]any)[1].(map[string]any)
	for _, name := range []string{"tasks", "wait_p50_s", "wait_p99_s"} {
		if _, number := key[name].(float64); !number || key["key"] != "b" {
			t.Errorf("%s of %v is %v", name, key["key"], key[name])
		}
	}
}

// Two tenants: one submits 3,000 tasks at once, the other 30 in the course of time.
// The rows of the keys show what fair does for the latter; in the totals, fair looks
// no better than fifo.
func TestTwoTenants(t *testing.T) {
	content := "at,service,key\n" + strings.Repeat("0,0.01,bulk\n", 3000)
	for i := range 30 {
		content += fmt.Sprintf("%.3f,0.01,small\n", 0.1+float64(i)/10)
	}
	args := []string{"-trace", write(t, content), "-queue", "fifo,fair", "-scaler", "fixed", "-max", "4"}
	s := executeJSON(t, args...)
	fifo, fair := s.Settings[0], s.Settings[1]
	if small := fair.Keys[1]; small.Key != "small" || small.Tasks != 30 || small.WaitP99 > 0.02 || fifo.Keys[1].WaitP50 < 3 {
		t.Errorf("small tenant: under fifo %+v, under fair %+v", fifo.Keys[1], small)
	}
	if fair.WaitP50 < fifo.WaitP50 || fair.WaitP99 < fifo.WaitP99 {
		t.Errorf("the totals of fair look better: %+v, %+v", fifo.Figures, fair.Figures)
	}
	table := execute(t, args...)
	if !regexp.MustCompile(`(?s)by key.*│ small │ fifo    │    30 │ .*s │.*\n│ {7}│ fair    │    30 │ +0s │`).MatchString(table) {
		t.Error("the table:\n" + table)
	}
}

// The weights of tenants are those of fair and of Jain's index.
func TestWeights(t *testing.T) {
	s := executeJSON(t, "-queue", "fair,fair:b=9", "-scaler", "fixed", "-max", "2", "-shape", "steady", "-rate", "100", "-jobs", "500",
		"-tenants", "a:1:3,b:1", "-distribution", "constant")
	weighted, other := s.Settings[0], s.Settings[1]
	if weighted.Queue != "fair:a=3" || other.Queue != "fair:b=9" {
		t.Errorf("the queues are %s and %s", weighted.Queue, other.Queue)
	}
	if weighted.Jain < 0.95 || other.Jain > 0.7 || weighted.Keys[0].WaitMean >= weighted.Keys[1].WaitMean {
		t.Errorf("%+v\n%+v", weighted.Keys, other.Keys)
	}
}

// The results do not depend on which simulations run at the same time.
func TestReproducible(t *testing.T) {
	args := []string{"-queue", "fair,codel", "-scaler", "targetwait:50ms,probe", "-jobs", "500", "-shape", "onoff", "-limit", "50",
		"-overflow", "drop-oldest", "-max", "5,25", "-json"}
	first := execute(t, args...)
	if again := execute(t, args...); again != first {
		t.Error(cmp.Diff(first, again))
	}
	if other := execute(t, append(args, "-seed", "2")...); other == first {
		t.Error("the same with another seed")
	}
}

func TestRuns(t *testing.T) {
	args := []string{"-scaler", "fixed:2,fixed:3", "-shape", "poisson", "-rate", "15", "-jobs", "500", "-runs", "4", "-seed", "7"}
	s := executeJSON(t, args...)
	if len(s.Settings) != 2 || len(s.Differences) != 2 {
		t.Fatalf("%+v", s)
	}
	first, second := s.Differences[0].Of, s.Differences[1].Of
	if first[0].Figure != "wait_mean_s" || first[0].Difference != 0 || first[0].HalfWidth != 0 || first[0].Mean <= 0 {
		t.Errorf("first setting: %+v", first)
	}
	if second[0].Difference >= 0 || second[0].HalfWidth <= 0 || second[0].Difference+second[0].HalfWidth >= 0 {
		t.Errorf("a worker more makes no certain difference: %+v", second)
	}
	// The first run is the one that a single run has.
	one := executeJSON(t, append(args, "-runs", "1")...)
	if diff := cmp.Diff(one.Settings, s.Settings); diff != "" {
		t.Error("settings (-one run +several):\n" + diff)
	}
	if table := execute(t, args...); !strings.Contains(table, "differences from fixed:2, with 95% confidence intervals") {
		t.Error(table)
	}
}

// Cores that tasks share make them slower.
func TestCores(t *testing.T) {
	trace := write(t, "at,service\n0,1\n0,1\n0,1\n")
	if s := executeJSON(t, "-trace", trace, "-scaler", "fixed", "-max", "3", "-cores", "1"); math.Abs(s.Settings[0].RunMean-3) > 1e-6 {
		t.Errorf("%+v", s.Settings[0])
	}
}

func TestIdleTimeout(t *testing.T) {
	trace := write(t, "at,service\n0,1\n0,1\n10,1\n")
	for timeout, want := range map[string]float64{"1s": 11 + 2, "20s": 11 + 11} {
		s := executeJSON(t, "-trace", trace, "-scaler", "demand", "-idle-timeout", timeout)
		if got := s.Settings[0].WorkerSeconds; math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v worker-seconds, want %v", timeout, got, want)
		}
	}
}

func TestRestarts(t *testing.T) {
	trace := write(t, "at,service,fails\n0,1,1\n0,1,5\n")
	s := executeJSON(t, "-trace", trace, "-scaler", "fixed", "-max", "2", "-restart", "constant:1s", "-retries", "2")
	if r := s.Settings[0]; r.Done != 1 || r.Failed != 1 || r.Restarts != 3 || math.Abs(r.Elapsed-5) > 1e-6 {
		t.Errorf("%+v", r)
	}
}

// In real time, the same tasks run.
func TestRealTime(t *testing.T) {
	args := []string{"-real", "-shape", "steady", "-rate", "1000", "-service", "1us", "-jobs", "50", "-scaler", "demand,fixed:2"}
	virtual := executeJSON(t, args[1:]...).Settings[0].Elapsed
	for _, more := range [][]string{nil, {"-cpu"}} {
		s := executeJSON(t, append(args, more...)...)
		if s.Settings[0].Elapsed == virtual {
			t.Error("the time is virtual")
		}
		if len(s.Settings) != 2 || s.Settings[0].Done != 50 || s.Settings[1].Done != 50 || !s.RealTime || s.Settings[0].RunMean <= 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestBadTraces(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.csv")
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"no file", "", []string{missing + ": no such file"}},
		{"empty", "\n", []string{"trace.csv"}},
		{"no jobs", "at,service\n", []string{"trace.csv", "no jobs"}},
		{"going back", "at,service\n2,1\n1,1\n", []string{"trace.csv, line 3"}},
		{"negative", "at,service\n0,1\n1,-1\n", []string{"trace.csv, line 3", "service"}},
		{"no number", "at,service\n0,NaN\n", []string{"trace.csv, line 2", "service"}},
		{"no such column", "at,servise\n0,1\n", []string{"trace.csv, line 1", "servise"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := missing
			if tt.content != "" {
				file = write(t, tt.content)
			}
			status, stdout, stderr := labtest.Execute(t, Subcommand, "-trace", file)
			if status != subcommand.Failed || stdout != "" || !strings.HasPrefix(stderr, "tasklab: trace: ") {
				t.Errorf("status %d, stdout:\n%s\nstderr:\n%s", status, stdout, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, stderr)
				}
			}
		})
	}
}

// interrupting is a display that calls a function as soon as a task has ended.
type interrupting struct{ interrupt func() }

func (interrupting) Interval() time.Duration { return time.Millisecond }
func (interrupting) WantsTotal() bool        { return false }
func (interrupting) Close(progress.View)     {}

func (d interrupting) Update(v progress.View) {
	if v.Ended > 0 {
		d.interrupt()
	}
}

// An interrupt ends the simulations at once, and the results so far are marked.
func TestInterrupted(t *testing.T) {
	parsed, err := Subcommand.Parse([]string{"-jobs", "1000000", "-shape", "steady", "-scaler", "demand"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s, err := parsed.(*command).simulate(ctx, interrupting{interrupt})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Partial || len(s.Settings) != 1 || !s.Settings[0].Partial || s.Settings[0].Tasks >= 1_000_000 || s.InFull() != 0 {
		t.Errorf("%+v", s)
	}
	if table := s.Text(); !strings.Contains(table, "(partial: interrupted)") || !strings.Contains(table, "│ demand (partial) │") {
		t.Error(table)
	}
	var b bytes.Buffer
	if err := (parsed.(*command)).format.Write(&b, s); err != nil || strings.Contains(b.String(), "NaN") {
		t.Error(err, b.String())
	}
}

func TestChartIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chart.svg")
	execute(t, "-trace", write(t, byHand), "-chart", file, "-scaler", "demand,step")
	if drawn, err := os.ReadFile(file); err != nil || !strings.Contains(string(drawn), ">step<") {
		t.Errorf("the chart is\n%s\n%v", drawn, err)
	}
}
