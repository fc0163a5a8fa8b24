package source_test

import (
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/source"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse parses flags.
func parse(t *testing.T, args ...string) (source.Source, error) {
	t.Helper()
	s := source.New()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	s.Declare(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	var f flagvalue.Faults
	s.Check(&f, flags)
	return s, f.Err()
}

// jobs returns the jobs of flags.
func jobs(t *testing.T, seed uint64, args ...string) []simulate.Job {
	t.Helper()
	s, err := parse(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return collect(t, s.Workload(t.Context(), seed))
}

func collect(t *testing.T, w simulate.Workload) (all []simulate.Job) {
	t.Helper()
	for j, err := range w {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

// A trace that is read in full before its first task ends with the context.
func TestInterruptedRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.csv")
	if err := os.WriteFile(file, []byte("at,service\n"+strings.Repeat("2,1\n", 1<<16)), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, "-trace", file, "-window", "1h")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for j, err := range s.Workload(ctx, 1) {
		switch {
		case err == nil:
			t.Fatalf("the first task is %+v, and the context had ended", j)
		case !errors.Is(err, context.Canceled):
			t.Errorf("the error is %v, want that of the context", err)
		}
	}
}

// Lines without a job are counted once, however often the trace is read.
func TestRemark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jobs.swf")
	unknown := " 0 -1 -1 1 -1 -1 1 -1 -1 1 1 1 1 -1 -1 -1 -1\n"
	if err := os.WriteFile(file, []byte("; a comment\n1"+unknown+"2 1 -1 5 1 -1 -1 1 -1 -1 1 1 1 1 -1 -1 -1 -1\n3"+unknown), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, "-trace", file)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if all := collect(t, s.Workload(t.Context(), 1)); len(all) != 1 {
			t.Errorf("%d jobs, want 1", len(all))
		}
	}
	var out strings.Builder
	s.Remark(&out)
	if want := "tasklab: lines of the trace without a task: 2; the first is "; !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), "line 2") {
		t.Errorf("the remark is %q, want %q and line 2", out.String(), want)
	}
}

// The flags mean the loads that package load has.
func TestLoads(t *testing.T) {
	exponential := load.Exponential{Mean: 100 * time.Millisecond}
	for args, want := range map[string]load.Load{
		"":                      {Arrivals: load.Step{Rate: 200}, Service: exponential, Duration: 25 * time.Second},
		"-shape steady -rate 9": {Arrivals: load.Steady{Rate: 9}, Service: exponential, Duration: 25 * time.Second},
		"-shape poisson -jobs 7 -service 1s -distribution constant": {
			Arrivals: load.Poisson{Rate: 200}, Service: load.Constant{Mean: time.Second}, Jobs: 7,
		},
		"-shape burst -duration 3s -jobs 500 -distribution lognormal": {
			Arrivals: load.Burst{Rate: 200}, Service: load.Lognormal{Mean: 100 * time.Millisecond, CV2: 4}, Duration: 3 * time.Second, Jobs: 500,
		},
		"-shape diurnal:50 -duration 9s -distribution pareto:1.5": {
			Arrivals: load.Diurnal{Rate: 200, Swing: 0.5, Period: 9 * time.Second},
			Service:  load.Pareto{Alpha: 1.5, Mean: 100 * time.Millisecond}, Duration: 9 * time.Second,
		},
		"-shape diurnal:50:2s": {
			Arrivals: load.Diurnal{Rate: 200, Swing: 0.5, Period: 2 * time.Second}, Service: exponential, Duration: 25 * time.Second,
		},
		"-shape onoff:8:2s:3s:1.2": {
			Arrivals: load.OnOff{Rate: 200, Sources: 8, On: 2 * time.Second, Off: 3 * time.Second, Alpha: 1.2},
			Service:  exponential, Duration: 25 * time.Second,
		},
		"-tenants x:3:2,y:1:1:5ms": {
			Arrivals: load.Step{Rate: 200}, Service: exponential, Duration: 25 * time.Second,
			Tenants: []load.Tenant{{Key: "x", Share: 3}, {Key: "y", Share: 1, Service: load.Exponential{Mean: 5 * time.Millisecond}}},
		},
	} {
		want.Seed = 3
		if diff := cmp.Diff(collect(t, want.Workload()), jobs(t, 3, strings.Fields(args)...)); diff != "" {
			t.Errorf("%s: jobs (-want +got):\n%s", args, diff)
		}
	}
}

func TestTraces(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := write("ours", "at,service,key\n0,1,a\n2,0.5,b\n")
	shuffled := write("shuffled", "at,service,key\n2,0.5,b\n0,1,a\n")
	theirs := write("theirs", "when,kilobytes,customer\n2026-01-01T00:00:00Z,100,a\n2026-01-01T00:00:02Z,50,b\n")
	swf := write("swf", "; Computer: none\n1 0 0 1 1 -1 -1 -1 -1 -1 1 1 1 1 1 1 -1 -1\n2 2 0 2 1 -1 -1 -1 -1 -1 1 1 1 1 1 1 -1 -1\n")
	packed, err := os.Create(filepath.Join(dir, "packed"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(packed)
	if _, err := z.Write([]byte("at,service,key\n0,1,a\n2,0.5,b\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	want := []simulate.Job{{Service: time.Second, Key: "a"}, {At: 2 * time.Second, Service: time.Second / 2, Key: "b"}}
	for _, args := range []string{
		ours, ours + " -format csv", packed.Name(), shuffled + " -window 5s",
		theirs + " -at when -service 0.01*kilobytes -key customer",
	} {
		if diff := cmp.Diff(want, jobs(t, 1, append([]string{"-trace"}, strings.Fields(args)...)...)); diff != "" {
			t.Errorf("%s: jobs (-want +got):\n%s", args, diff)
		}
	}
	for _, args := range []string{"", " -format swf"} {
		got := jobs(t, 1, append([]string{"-trace"}, strings.Fields(swf+args)...)...)
		if len(got) != 2 || got[1].At != 2*time.Second || got[1].Service != 2*time.Second {
			t.Errorf("SWF: %+v", got)
		}
	}
}

// Keys have the weights that the user gave.
func TestWeights(t *testing.T) {
	for args, want := range map[string][]flagvalue.Weight{
		"":                               nil,
		"-tenants b:1:5,a:1:2,c:1,d:1:1": {{Key: "a", Weight: 2}, {Key: "b", Weight: 5}},
		"-trace t -weights b=1,a=3":      {{Key: "a", Weight: 3}},
	} {
		s, err := parse(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Weights(); !cmp.Equal(want, append([]flagvalue.Weight(nil), got...)) {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
}

func TestDescription(t *testing.T) {
	for args, want := range map[string]string{
		"": "step load, 20, 200 and again 20 tasks/s that take 100ms on average (exponential), for 25s",
		"-shape poisson -rate 7 -jobs 5000 -distribution lognormal:2 -tenants a:0.9,b:0.1:3:10ms": "poisson load, 7 tasks/s that take 100ms on average (lognormal:2), at most 5,000 tasks\ntenants a:0.9,b:0.1:3:10ms",
		"-trace t.csv": "trace t.csv",
	} {
		s, err := parse(t, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", args, diff)
		}
	}
}

// The key of spans is an attribute.
func TestKeyOfSpans(t *testing.T) {
	if _, err := parse(t, "-trace", "t", "-format", "otlp", "-key", "tenant"); err != nil {
		t.Error(err)
	}
	if _, err := parse(t, "-trace", "t", "-format", "otlp", "-kind", "x"); err == nil {
		t.Error("a column of spans is accepted")
	}
}

func TestTenantErrors(t *testing.T) {
	for list, want := range map[string]string{
		"":             `"": write KEY:SHARE, KEY:SHARE:WEIGHT or KEY:SHARE:WEIGHT:SERVICE`,
		"a":            `"a": write KEY:SHARE`,
		"a:0":          `"a:0": the share is "0"; it must be a positive number`,
		"a:NaN":        `"a:NaN": the share is "NaN"`,
		"a:Inf":        `"a:Inf": the share is "Inf"`,
		"a:1:0":        `"a:1:0": the weight is "0"; it must be a whole number from 1 to 1048576`,
		"a:1:1:0s":     `"a:1:1:0s": the service time is "0s"; it must be a positive duration, such as 10ms`,
		"a:1:1:1s:1":   `"a:1:1:1s:1": write`,
		"a:1, b:2,a:3": `the tenant "a" is there twice`,
	} {
		s := source.New()
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		s.Declare(flags)
		if err := flags.Set("tenants", list); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", list, err, want)
		}
	}
}
