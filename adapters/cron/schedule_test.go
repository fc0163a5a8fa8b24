package cron_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/cron"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// clocked is a task that notes when it runs, and takes its time.
type clocked struct {
	takes time.Duration
	runs  []string
}

func (c *clocked) Name() string { return "clocked" }

func (c *clocked) Execute(context.Context) error {
	c.runs = append(c.runs, time.Now().UTC().Format("2 15:04:05.000"))
	time.Sleep(c.takes)
	return nil
}

// inBubble runs a test with a manager, from 2000-01-01 00:00:00 UTC on.
func inBubble(t *testing.T, test func(t *testing.T, m *taskmanager.TaskManager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := taskmanager.Start()
		if err != nil {
			t.Fatal(err)
		}
		test(t, m)
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestScheduleRunsAtTheTimes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		task := new(clocked)
		s, err := cron.Schedule(t.Context(), m, "CRON_TZ=UTC 10 30 */8 * * *", task)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		s.Stop()
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		want := []string{"1 00:30:10.000", "1 08:30:10.000", "1 16:30:10.000", "2 00:30:10.000"}
		if diff := cmp.Diff(want, task.runs); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

func TestEveryIsAFixedRate(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		time.Sleep(100 * time.Millisecond)
		task := &clocked{takes: time.Second}
		s, err := cron.Schedule(t.Context(), m, "@every 1500ms", task)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		s.Stop()
		time.Sleep(time.Second)
		synctest.Wait()
		want := []string{"1 00:00:01.600", "1 00:00:03.100", "1 00:00:04.600"}
		if diff := cmp.Diff(want, task.runs); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

func TestOptionsReachTheSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		task := &clocked{takes: 90 * time.Second}
		s, err := cron.Schedule(t.Context(), m, "* * * * *", task, taskmanager.WithOverlap(taskmanager.OverlapSkip))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(4*time.Minute + 30*time.Second)
		s.Stop()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want := []string{"1 00:01:00.000", "1 00:03:00.000"}
		if diff := cmp.Diff(want, task.runs); diff != "" || s.Skipped() != 2 {
			t.Errorf("%d skipped, want 2; runs (-want +got):\n%s", s.Skipped(), diff)
		}
	})
}

// TestStringIsTheExpression checks that the text of a schedule is the expression as it was written, but
// for white space.
func TestStringIsTheExpression(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		for spec, want := range map[string]string{
			"30 2 * * MON-fri":                        "30 2 * * MON-fri",
			" CRON_TZ=Europe/Berlin\t 0 30  2 * * ? ": "CRON_TZ=Europe/Berlin 0 30 2 * * ?",
			"TZ=UTC @Daily":                           "TZ=UTC @Daily",
			"@every  90m":                             "@every 90m",
		} {
			s, err := cron.Schedule(t.Context(), m, spec, new(clocked))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.String(); got != want {
				t.Errorf("the text of the schedule of %q is %q, want %q", spec, got, want)
			}
			s.Stop()
		}
	})
}

// TestUpcomingTimesOfAnExpression also checks the options of schedules.
func TestUpcomingTimesOfAnExpression(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		task := new(clocked)
		s, err := cron.Schedule(t.Context(), m, "CRON_TZ=UTC 30 */8 * * *", task,
			taskmanager.WithUntil(time.Date(2000, 1, 2, 0, 30, 0, 0, time.UTC)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, at := range s.Upcoming(10) {
			got = append(got, at.UTC().Format("2 15:04:05.000"))
		}
		want := []string{"1 00:30:00.000", "1 08:30:00.000", "1 16:30:00.000", "2 00:30:00.000"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("upcoming (-want +got):\n%s", diff)
		}
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff(want, task.runs); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

func TestErrorsOfSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T, m *taskmanager.TaskManager) {
		ctx, task := t.Context(), new(clocked)
		if _, err := cron.Schedule(ctx, m, "soon", task); err == nil || !strings.HasPrefix(err.Error(), "cron: ") {
			t.Errorf("a bad specification: %v", err)
		}
		if _, err := cron.Schedule(ctx, nil, "@daily", task); err == nil || !strings.HasPrefix(err.Error(), "cron: nil manager") {
			t.Errorf("no manager: %v", err)
		}
		if _, err := cron.Schedule(ctx, m, "@daily", nil); !errors.Is(err, taskmanager.ErrNilTask) {
			t.Errorf("no task: %v", err)
		}
		stopped, err := taskmanager.Start()
		if err != nil {
			t.Fatal(err)
		}
		if err := stopped.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := cron.Schedule(ctx, stopped, "@daily", task); !errors.Is(err, taskmanager.ErrStopped) {
			t.Errorf("a stopped manager: %v", err)
		}
	})
}
