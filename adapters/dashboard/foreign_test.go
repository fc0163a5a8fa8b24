package dashboard_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// reporter is a task that runs until it is cancelled, and whose methods are those of the test.
type reporter struct {
	name        string
	progress    func() (float64, error)
	description func() string
}

func (r reporter) Name() string                      { return r.name }
func (r reporter) Execute(ctx context.Context) error { return untilCancelled(ctx) }
func (r reporter) Progress() (float64, error)        { return r.progress() }

func (r reporter) Description() string {
	if r.description == nil {
		return ""
	}
	return r.description()
}

// report starts a reporter.
func report(t *testing.T, m *taskmanager.TaskManager, r reporter) {
	t.Helper()
	h, err := m.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	<-h.Started()
}

func value(v float64) func() (float64, error) { return func() (float64, error) { return v, nil } }

func TestProgress(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 20))
		half, none, full := 0.5, 0.0, 1.0
		for _, c := range []struct {
			r    reporter
			want row // its progress, description and error
		}{
			{reporter{"half", value(half), func() string { return "halfway" }}, row{Progress: &half, Description: "halfway"}},
			{reporter{"begun", value(0), func() string { return "begun" }}, row{Progress: &none, Description: "begun"}},
			{reporter{"silent", value(0), nil}, row{}},
			{reporter{"percent", value(42), nil}, row{Progress: &full}},
			{reporter{"negative", value(-1), nil}, row{Progress: &none}},
			{reporter{"nan", value(math.NaN()), nil}, row{ProgressError: "the progress is not a finite number"}},
			{reporter{"infinite", value(math.Inf(1)), nil}, row{ProgressError: "the progress is not a finite number"}},
			{reporter{"failing", func() (float64, error) { return 0.3, errBroken }, nil}, row{ProgressError: errBroken.Error()}},
			{reporter{"goexit", func() (float64, error) { runtime.Goexit(); return 0, nil }, nil}, row{}},
		} {
			report(t, m, c.r)
			r := get[page](t, d, "tasks?q="+c.r.name).Tasks[0]
			got := row{Progress: r.Progress, Description: r.Description, ProgressError: r.ProgressError, Mute: r.Mute}
			equal(t, c.r.name, got, c.want)
		}
		report(t, m, reporter{"panicking", func() (float64, error) { panic("out of paper") }, nil})
		if r := get[page](t, d, "tasks?q=panicking").Tasks[0]; !strings.Contains(r.ProgressError, "out of paper") {
			t.Errorf("after a panic: %+v", r)
		}
		equal(t, "tasks in the list", len(get[page](t, d, "tasks").Tasks), 10)
	})
}

// A task whose Progress does not answer is shown as such, and left alone for 30 seconds; after that
// it is asked again, unless the first call has not returned.
func TestAMuteTask(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t)
		calls, answer := 0, make(chan struct{})
		report(t, m, reporter{"mute", func() (float64, error) { calls++; <-answer; return 0.5, nil }, nil})
		look := func(mute bool, wantCalls int, took time.Duration) {
			t.Helper()
			begin := time.Now()
			r := get[page](t, d, "tasks").Tasks[0]
			synctest.Wait()
			if r.Mute != mute || r.State != "running" || (r.Progress != nil) == mute || calls != wantCalls || time.Since(begin) != took {
				t.Errorf("mute %t after %d calls and %v, want %t after %d calls and %v", r.Mute, calls, time.Since(begin), mute, wantCalls, took)
			}
		}
		look(true, 1, 50*time.Millisecond)
		look(true, 1, 0)
		time.Sleep(time.Hour)
		look(true, 1, 0) // the first call has not returned
		close(answer)
		synctest.Wait()
		look(false, 2, 0)

		answer = make(chan struct{})
		look(true, 3, 50*time.Millisecond)
		close(answer)
		synctest.Wait()
		time.Sleep(29 * time.Second)
		look(true, 3, 0)
		time.Sleep(time.Second)
		look(false, 4, 0)
	})
}

// Many mute tasks delay a page for a quarter of a second, and there is a limit to the calls that do not return.
func TestManyMuteTasks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 201))
		answer := make(chan struct{})
		var calls atomic.Int32
		defer func() { close(answer); synctest.Wait() }()
		for i := range 200 {
			report(t, m, reporter{fmt.Sprintf("mute-%03d", i), func() (float64, error) { calls.Add(1); <-answer; return 0, nil }, nil})
		}
		report(t, m, reporter{"a good one", value(0.5), nil})
		for range 100 {
			begin := time.Now()
			p := get[page](t, d, "tasks?limit=200")
			if took := time.Since(begin); len(p.Tasks) != 200 || took > 300*time.Millisecond {
				t.Fatalf("%d tasks after %v", len(p.Tasks), took)
			}
			if p.Tasks[0].Name != "a good one" {
				t.Fatalf("the first task is %s", p.Tasks[0].Name)
			}
			for _, r := range p.Tasks[1:] {
				if r.Mute == r.Unasked {
					t.Fatalf("a task that does not answer is %+v", r)
				}
			}
		}
		equal(t, "calls that do not return", calls.Load(), 64)
	})
}

// badError is an error whose Error method is that of the test.
type badError struct{ text func() string }

func (b badError) Error() string { return b.text() }

// The rows call the Error method of errors.
func TestErrorsThatBlockOrAreLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := dashboard.NewCollector()
		m := start(t, taskmanager.WithWorkers(1, 4), taskmanager.WithObserver(c), taskmanager.WithLogger(nil))
		d := show(t, dashboard.Manager("m", m, c))
		slow := make(chan struct{})
		blocks := false
		fails := func(text func() string) func(context.Context) error {
			return func(context.Context) error { return badError{text} }
		}
		again := taskmanager.WithRestart(restart.Constant(time.Hour))
		submit(t, m, "slow", fails(func() string {
			if blocks {
				<-slow
			}
			return "slow"
		}), again)
		submit(t, m, "long", fails(func() string { return strings.Repeat("x", 10<<20) }), again)
		synctest.Wait()
		blocks = true
		rows := map[string]row{}
		for _, r := range get[page](t, d, "tasks").Tasks {
			rows[r.Name] = r
		}
		if r := rows["slow"]; r.Mute || r.Error != "(no answer)" || r.State != "restarting" {
			t.Errorf("with an error that blocks: %+v", r)
		}
		if r := rows["long"]; r.Mute || len(r.Error) > 2000 || !strings.HasSuffix(r.Error, "…") {
			t.Errorf("with a long error: %d bytes, mute %t", len(r.Error), r.Mute)
		}
		close(slow)
		synctest.Wait()
	})
}

func TestSchedules(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d0 := watched(t)
		begin := float64(time.Now().Unix())
		fails := true
		s, err := m.Every(t.Context(), time.Hour, function{"report", func(context.Context) error {
			if fails {
				return errBroken
			}
			return nil
		}}, taskmanager.WithRuns(4))
		if err != nil {
			t.Fatal(err)
		}
		d := show(t, dashboard.Manager("m", m), dashboard.Schedule("Hourly report", s))
		type last struct {
			Outcome, Error string
			At             float64
		}
		type schedule struct {
			Name, Label, Times string
			Next               float64
			Upcoming           []float64
			Skipped            int
			Paused, Running    bool
			Last               *last
		}
		type schedules struct{ Schedules []schedule }
		want := schedule{"report", "Hourly report", "every 1h0m0s", begin + 3600,
			[]float64{begin + 3600, begin + 7200, begin + 10800, begin + 14400}, 0, false, false, nil}
		equal(t, "at first", get[schedules](t, d, "schedules"), schedules{[]schedule{want}})
		want.Label = "report"
		equal(t, "without a label", get[schedules](t, d0, "schedules"), schedules{[]schedule{want}})
		time.Sleep(90 * time.Minute)
		s.Pause()
		got := get[schedules](t, d, "schedules").Schedules[0]
		want.Label, want.Next, want.Upcoming = "Hourly report", begin+7200, want.Upcoming[1:]
		want.Paused, want.Last = true, &last{"failure", errBroken.Error(), begin + 3600}
		equal(t, "after a run", got, want)
		fails = false
		s.Stop()
		equal(t, "after the end", get[schedules](t, d, "schedules"), schedules{[]schedule{}})
	})
}

// stuckTimes is a timetable that does not answer when it is asked for later runs.
type stuckTimes struct{ release chan struct{} }

func (s stuckTimes) Next(after time.Time) time.Time {
	if after.Year() > 2000 {
		<-s.release
	}
	return after.AddDate(1, 0, 0)
}

func TestATimetableThatDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t)
		s := stuckTimes{make(chan struct{})}
		if _, err := m.Repeat(t.Context(), s, function{"yearly", succeed}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		type schedules struct {
			Schedules []struct {
				Name     string
				Next     float64
				Upcoming []float64
			}
		}
		got := get[schedules](t, d, "schedules").Schedules
		if len(got) != 1 || got[0].Next < 0 || len(got[0].Upcoming) != 0 || time.Since(begin) != 50*time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(begin), got)
		}
		close(s.release)
		synctest.Wait()
	})
}

// failing is a task that fails once, and then runs with a Progress that does not answer.
type failing struct{ failed, answer chan struct{} }

func (failing) Name() string                 { return "failing" }
func (failing) Description() string          { return "" }
func (f failing) Progress() (float64, error) { <-f.answer; return 0, nil }

func (f failing) Execute(ctx context.Context) error {
	select {
	case f.failed <- struct{}{}:
		return errBroken
	default:
		return untilCancelled(ctx)
	}
}

// A Progress that does not answer does not hide the last error.
func TestTheErrorOfAMuteTask(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t)
		f := failing{make(chan struct{}, 1), make(chan struct{})}
		if _, err := m.Submit(t.Context(), f, taskmanager.WithRestart(restart.Constant(time.Second))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if r := get[page](t, d, "tasks").Tasks[0]; r.State != "running" || !r.Mute || r.Unasked || r.Error != errBroken.Error() {
			t.Errorf("the row is %+v", r)
		}
		close(f.answer)
		synctest.Wait()
	})
}
