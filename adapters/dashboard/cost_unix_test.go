//go:build unix

package dashboard_test

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var (
	cost   = flag.Bool("cost", false, "measure what a dashboard costs, on a machine without other load (two minutes)")
	rounds = flag.Int("rounds", 15, "the number of rounds of -cost")
)

// passive is an observer that does nothing. It has the interfaces of a collector for tasks.
type passive struct{}

func (passive) BeginRun(ctx context.Context, _ observe.Run) context.Context         { return ctx }
func (passive) EndRun(context.Context, observe.Run, observe.Result)                 {}
func (passive) TaskEnded(context.Context, observe.End)                              {}
func (passive) BeginRestart(ctx context.Context, _ observe.Restart) context.Context { return ctx }
func (passive) EndRestart(context.Context, observe.Restart, error)                  {}

// subject is a manager with 100,000 outstanding tasks.
type subject struct {
	manager *taskmanager.TaskManager
	tasks   int // so far, besides those that are outstanding
}

// setting is a subject and how it is watched. Settings share a subject if they can: two managers may differ by
// some percent, as their memory lies elsewhere.
type setting struct {
	*subject
	watch func(m *taskmanager.TaskManager) (stop func()) // while it is measured
	costs []float64                                      // of a task in each round, in seconds of processor time
}

func newSubject(t *testing.T, observers ...observe.Observer) *subject {
	t.Helper()
	opts := []taskmanager.Option{taskmanager.WithWorkers(2, 2)}
	if len(observers) > 0 {
		opts = append(opts, taskmanager.WithObserver(observers...))
	}
	m, err := taskmanager.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop(context.Background()) })
	for i := range 100_000 {
		if _, err := m.SubmitFunc(context.Background(), "outstanding/"+strconv.Itoa(i), nothing, taskmanager.WithDelay(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return &subject{manager: m}
}

func nothing(context.Context) error { return nil }

// measure runs tasks for a slice of time.
func (s *setting) measure(t *testing.T) {
	t.Helper()
	const slice, batch = 1200 * time.Millisecond, 1000 // a slice has a sample and a tick
	defer s.watch(s.manager)()
	before, begin, used := s.tasks, time.Now(), processorTime(t)
	for ; time.Since(begin) < slice; s.tasks += batch {
		var all sync.WaitGroup
		all.Add(batch)
		for i := range batch {
			if _, err := s.manager.SubmitFunc(context.Background(), "task/"+strconv.Itoa(s.tasks+i), func(context.Context) error { all.Done(); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		all.Wait()
	}
	s.costs = append(s.costs, (processorTime(t)-used).Seconds()/float64(s.tasks-before))
}

// processorTime returns the time for which the process has used processors.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ratio returns the median of the ratios of each round to another setting.
func (s *setting) ratio(to *setting) float64 {
	var all []float64
	for i, c := range s.costs {
		all = append(all, c/to.costs[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// viewed serves a dashboard, reads its stream, and asks once for what the overview shows. A page asks every three
// seconds, and a slice is shorter.
func viewed(board *dashboard.Dashboard) (stop func()) {
	server := httptest.NewServer(board)
	answer, err := http.Get(server.URL + "/api/v1/events") //nolint:bodyclose // stop closes it
	if err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, answer.Body) // until the dashboard closes it
	}()
	for _, what := range []string{"series?seconds=300", "keys", "kinds", "history?limit=6"} {
		one, err := http.Get(server.URL + "/api/v1/" + what)
		if err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, one.Body)
		_ = one.Body.Close() // it was only read
	}
	return func() {
		board.Close()
		<-done
		_ = answer.Body.Close() // it was only read
		server.Close()
	}
}

// TestCost compares the processor time of a task, with 100,000 others outstanding, in turns.
//
//	go test -run Cost -cost -v .
func TestCost(t *testing.T) {
	if !*cost {
		t.Skip("a measurement; see -cost")
	}
	alone := func(*taskmanager.TaskManager) func() { return func() {} }
	c := dashboard.NewCollector()
	board := func(m *taskmanager.TaskManager) *dashboard.Dashboard { return dashboard.New(dashboard.Manager("m", m)) }
	boardWith := func(m *taskmanager.TaskManager) *dashboard.Dashboard {
		return dashboard.New(dashboard.Manager("m", m, c))
	}
	plain, watched, collected := newSubject(t), newSubject(t, passive{}), newSubject(t, c)
	bare := &setting{subject: plain, watch: alone}
	handler := &setting{subject: plain, watch: func(m *taskmanager.TaskManager) func() { return board(m).Close }}
	client := &setting{subject: plain, watch: func(m *taskmanager.TaskManager) func() { return viewed(board(m)) }}
	observed := &setting{subject: watched, watch: alone}
	collector := &setting{subject: collected, watch: func(m *taskmanager.TaskManager) func() { return boardWith(m).Close }}
	clientToo := &setting{subject: collected, watch: func(m *taskmanager.TaskManager) func() { return viewed(boardWith(m)) }}
	for range *rounds {
		for _, s := range []*setting{bare, handler, client, observed, collector, clientToo} {
			s.measure(t)
		}
	}
	for _, r := range []struct {
		what   string
		s, to  *setting
		bound  float64
		toWhat string
	}{
		{"a dashboard without a viewer", handler, bare, 1.02, "nothing"},
		{"a dashboard with a viewer", client, bare, 1.10, "nothing"},
		{"a collector", collector, observed, 1.10, "an observer that does nothing"},
		{"a collector with a viewer", clientToo, collector, 1.10, "a collector"},
		{"an observer that does nothing", observed, bare, 0, "nothing"},
	} {
		got := r.s.ratio(r.to)
		t.Logf("%s: %.3f of %s (bound %.2f)", r.what, got, r.toWhat, r.bound)
		if r.bound > 0 && got > r.bound {
			t.Errorf("%s costs %.3f of %s, want %.2f at most", r.what, got, r.toWhat, r.bound)
		}
	}
}
