package duel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/benchmarks/internal/ours"
)

// The workloads that start processes of their own start the test binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == aloneArgument {
		Main(library, library)
		return
	}
	goleak.VerifyTestMain(m)
}

// library is the library in the working tree.
var library = Side{
	Open: func(way string, workers, producers, tasks int) (drive.Session, error) {
		return ours.Open(ours.Way(way), workers, producers, tasks)
	},
	OpenCrowded: func(way string, workers, tasks, others int) (drive.Session, error) {
		return ours.OpenCrowded(ours.Way(way), workers, tasks, others)
	},
}

// Every workload measures each figure once in each round on both sides.
func TestEveryWorkload(t *testing.T) {
	c := Config{Rounds: 16, Workers: []int{2, 10}, Sleep: true, tiny: true}
	list, err := c.workloads()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 6*2+3+2+4+2 {
		t.Errorf("there are %d workloads", len(list))
	}
	for _, w := range list {
		figures, err := w.measure(c, library, library)
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
		if len(figures) == 0 {
			t.Errorf("%s measures nothing", w.name)
		}
		for _, f := range figures {
			rounds := len(f.Old)
			if rounds < 1 || len(f.New) != rounds || f.Channel != nil && len(f.Channel) != rounds {
				t.Errorf("%s: %+v", w.name, f)
			}
			values := slices.Concat(f.Old, f.New, f.Channel)
			// Few tasks may be smaller than the garbage that the runtime leaves behind.
			if slices.Min(values) <= 0 && !strings.Contains(f.Name, "alloc") && !strings.Contains(f.Name, "memory") {
				t.Errorf("%s: %+v", w.name, f)
			}
		}
	}
}

// The program writes a result for each workload that matches.
func TestRun(t *testing.T) {
	argument, err := json.Marshal(Config{Rounds: 1, Workers: []int{1}, Run: "^Pool.*workers", Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if err := run([]string{string(argument)}, library, library, &out, &progress); err != nil {
		t.Fatal(err)
	}
	var names []string
	for decoder := json.NewDecoder(&out); ; {
		var r Result
		if err := decoder.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.Workload)
	}
	if diff := cmp.Diff([]string{"Pool.Submit, 1 workers", "Pool.SubmitAll, 1 workers"}, names); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(progress.String(), " 2 of 2  Pool.SubmitAll, 1 workers  ") {
		t.Errorf("the progress is %s", progress.String())
	}
}

// Arguments that are none are errors.
func TestRunWithoutArguments(t *testing.T) {
	for _, args := range [][]string{
		nil, {"{"}, {`{"Run": "nowhere"}`}, {aloneArgument}, {aloneArgument, "old", poolSubmit, "x"}, {aloneArgument, "older", poolSubmit, "1"},
	} {
		if err := run(args, library, library, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}

// account is a session that counts.
type account struct{ measured, closed int }

func (*account) Submit(int, int, func()) error { return nil }
func (a *account) Close() error                { a.closed++; return nil }

// Each lane is measured once in each round. The first round of a session does not count. Lanes
// follow each other in all orders.
func TestTurns(t *testing.T) {
	const rounds, sitting = 8000, 4
	var order []*lane
	opened := map[*lane][]*account{}
	byAccount := map[drive.Session]*lane{}
	var lanes []*lane
	for _, name := range []string{"a", "b", "c"} {
		l := &lane{name: name}
		l.open = func() (drive.Session, error) {
			a := new(account)
			opened[l], byAccount[a] = append(opened[l], a), l
			return a, nil
		}
		lanes = append(lanes, l)
	}
	err := turns(lanes, rounds, sitting, func(s drive.Session) ([]float64, error) {
		a := s.(*account)
		a.measured++
		order = append(order, byAccount[s])
		return []float64{float64(a.measured)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lanes {
		if diff := cmp.Diff(slices.Repeat([]float64{2, 3, 4, 5}, rounds/sitting), l.values[0]); diff != "" {
			t.Errorf("%s: %s", l.name, diff)
		}
		if len(opened[l]) != rounds/sitting {
			t.Errorf("%s: %d sessions", l.name, len(opened[l]))
		}
		for _, a := range opened[l] {
			if a.closed != 1 {
				t.Errorf("%s: a session was closed %d times", l.name, a.closed)
			}
		}
	}
	follows := map[[2]*lane]int{}
	for i, l := range order[1:] {
		follows[[2]*lane{order[i], l}]++
	}
	for pair, n := range follows {
		if n < len(order)/9/2 || n > len(order)/9*2 {
			t.Errorf("%s follows %s %d times of %d", pair[1].name, pair[0].name, n, len(order))
		}
	}
	if len(follows) != 9 {
		t.Errorf("there are %d of the 9 orders of two lanes", len(follows))
	}
}

// After an error, the sessions that are open are closed.
func TestTurnsThatFail(t *testing.T) {
	fault := errors.New("a fault")
	good, bad := new(account), new(account)
	lanes := []*lane{
		{name: "good", open: func() (drive.Session, error) { return good, nil }},
		{name: "bad", open: func() (drive.Session, error) { return bad, nil }},
	}
	err := turns(lanes, 1, 1, func(s drive.Session) ([]float64, error) {
		if s == drive.Session(bad) {
			return nil, fault
		}
		return []float64{1}, nil
	})
	if !errors.Is(err, fault) || !strings.HasPrefix(err.Error(), "bad: ") || good.closed != 1 || bad.closed != 1 {
		t.Errorf("the error is %v; closed %d and %d times", err, good.closed, bad.closed)
	}
	lanes[1].open = func() (drive.Session, error) { return nil, fault }
	good.closed = 0
	err = turns(lanes, 1, 1, func(drive.Session) ([]float64, error) { return []float64{1}, nil })
	if !errors.Is(err, fault) || good.closed > 1 || good.closed == 0 && lanes[0].session != nil {
		t.Errorf("the error is %v; closed %d times", err, good.closed)
	}
}

func TestRatios(t *testing.T) {
	got := Ratios([]float64{1, 0, 3, 0}, []float64{2, 0, 0, 4})
	if diff := cmp.Diff([]float64{0.5, 1, 1e6, 0}, got); diff != "" {
		t.Error(diff)
	}
}
