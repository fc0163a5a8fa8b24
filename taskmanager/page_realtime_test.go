package taskmanager_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// queueUp starts a manager, for a test or a benchmark, with n queued tasks.
func queueUp(t testing.TB, n int) *taskmanager.TaskManager {
	t.Helper()
	m := start(t, taskmanager.WithWorkers(1, 1), taskmanager.WithoutTelemetry())
	submitFunc(t, m, "gate", untilCancelled)
	for _, name := range taskNames(n) {
		submitFunc(t, m, name, fn0)
	}
	return m
}

// TestPageKeepsItsBudget: a page of a search that finds nothing ends soon after its budget. A page
// with the least budget reads one portion, so the pages of a walk are many, and none says that the list
// is complete but the last one.
func TestPageKeepsItsBudget(t *testing.T) {
	const n, portion, limit = 100_000, 256, 20 * time.Millisecond
	m := queueUp(t, n)
	f := taskmanager.Filter{Contains: "no name has this", Budget: 1}
	count, late := 0, 0
	for {
		begin := time.Now()
		page, next, err := m.Page(f)
		if time.Since(begin) > limit {
			late++ // on a busy machine a page may be interrupted
		}
		if len(page) > 0 || err != nil {
			t.Fatalf("a page has %d tasks, and the error %v", len(page), err)
		}
		count++
		if f.After = next; next == "" {
			break
		}
	}
	if count < n/portion || count > 3*n/portion {
		t.Errorf("with a budget of 1 ns there are %d pages, want one for each portion", count)
	}
	if late > count/4 {
		t.Errorf("%d of %d pages took more than %v", late, count, limit)
	}
	f.Budget = time.Hour
	_, next, err := m.Page(f)
	check.Is(t, "Page", err, nil)
	check.Equal(t, "next, with a long budget", next, "")
}

// TestFirstPageIsFast beside many outstanding tasks.
func TestFirstPageIsFast(t *testing.T) {
	const n, limit, tries = 200_000, 10 * time.Millisecond, 5
	m := queueUp(t, n)
	best := time.Hour
	for range tries {
		begin := time.Now()
		page, _, err := m.Page(taskmanager.Filter{})
		best = min(best, time.Since(begin))
		if len(page) != 100 || err != nil {
			t.Fatalf("Page returned %d tasks, %v", len(page), err)
		}
	}
	if best > limit {
		t.Errorf("the first page took %v, want at most %v", best, limit)
	}
}

// BenchmarkPage measures pages beside a million outstanding tasks: the first page, a page that
// continues in the middle, and pages of searches that look at all tasks.
func BenchmarkPage(b *testing.B) {
	const n = 1_000_000
	m := queueUp(b, n)
	_, middle, err := m.Page(taskmanager.Filter{Limit: n / 2})
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]taskmanager.Filter{
		"first":    {},
		"middle":   {After: middle},
		"prefix":   {Prefix: "no name has this"},
		"contains": {Contains: "no name has this"},
		"key":      {Key: "none"},
		"kind":     {Kind: "none"},
		"running":  {Status: taskmanager.Running},
		"waiting":  {Status: taskmanager.Restarted},
		"budget":   {Contains: "no name has this", Budget: time.Millisecond},
	} {
		b.Run(fmt.Sprint("page=", name), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, _, err := m.Page(f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCounts measures Counts beside a million outstanding tasks.
func BenchmarkCounts(b *testing.B) {
	m := queueUp(b, 1_000_000)
	b.ResetTimer()
	for range b.N {
		m.Counts()
	}
}
