package settings_test

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

// parseGrid parses flags.
func parseGrid(args ...string) (g settings.Grid, err error) {
	g = settings.NewGrid("fifo", "demand", 1, 4)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	g.Declare(flags)
	if err := flags.Parse(args); err != nil {
		return g, err
	}
	var f flagvalue.Faults
	g.Check(&f, flags)
	return g, f.Err()
}

// names lists the candidates.
func names(g settings.Grid) (all []string) {
	for _, c := range g.Candidates() {
		all = append(all, fmt.Sprint(c.Queue.Name, " ", c.Scaler.Name, " ", c.Min, " ", c.Max))
	}
	return all
}

func TestCandidates(t *testing.T) {
	g, err := parseGrid("-queue", "fair,fair:a=9+limitbykey:3,lifo,fair+limitbykey", "-scaler", "fixed, step:1s", "-min", "0", "-max", "2,3")
	if err != nil {
		t.Fatal(err)
	}
	g.Weigh([]flagvalue.Weight{{Key: "x", Weight: 2}})
	want := []string{"fair:x=2 fixed 0 2", "fair:x=2 fixed 0 3", "fair:x=2 step:1s 0 2", "fair:x=2 step:1s 0 3"}
	got := names(g)
	if diff := cmp.Diff(want, got[:4]); diff != "" || len(got) != 16 {
		t.Errorf("%d candidates; the first four (-want +got):\n%s", len(got), diff)
	}
	if all := strings.Join(got, "\n"); !strings.Contains(all, "fair:a=9+limitbykey:3 fixed") || !strings.Contains(all, "fair:x=2+limitbykey fixed") {
		t.Error(all)
	}
	for _, c := range g.Candidates() {
		m, err := c.Start()
		if err != nil {
			t.Fatal(err)
		}
		if d := m.Describe(); d.Limit != -1 && d.Limit != 0 || d.Overflow != "" {
			t.Errorf("there is a limit: %+v", d)
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestLimit(t *testing.T) {
	g, err := parseGrid("-limit", "7", "-overflow", "drop-worst")
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Candidates()[0].Start()
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Describe(); d.Limit != 7 || d.Overflow != "DropWorst" {
		t.Errorf("%+v", d)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGridErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-min 2,2":                          `"2" is there twice`,
		"-min x":                            `"x" is not a whole number`,
		"-min 5":                            "-min, 5, exceeds -max, 4",
		"-min -1":                           "-min is -1",
		"-max 0":                            "-max is 0",
		"-retries -1":                       "-retries is -1",
		"-idle-timeout 0s":                  "-idle-timeout is 0s",
		"-overflow drop-worst":              "-overflow is for a queue with a limit",
		"-restart decorrelated:2s:1s":       "fifo with demand: ",
		"-scaler utilisation:70:1s,step:0s": `step: wait is "0s"`,
		"-queue lifo,limitbykey -limit 1 -overflow drop-oldest": "limitbykey with demand: taskmanager: WithLimit: DropOldest cannot be combined",
	} {
		_, err := parseGrid(strings.Fields(args)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
}
