package taskmanager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestResultsSurviveAConcurrentWait checks that a result is not lost if a Wait on another
// goroutine returns during the submit.
func TestResultsSurviveAConcurrentWait(t *testing.T) {
	m := start(t, taskmanager.WithWorkers(2, 2))
	for i := range 5000 {
		g := taskmanager.NewResultGroup[int](t.Context(), m)
		var others sync.WaitGroup
		others.Go(func() {
			for range 5 {
				_, _ = g.Wait(t.Context())
			}
		})
		if err := g.Go(fmt.Sprint("task", i), func(context.Context) (int, error) { return 7, nil }); err != nil {
			t.Fatal(err)
		}
		others.Wait()
		results, err := g.Wait(t.Context())
		if err != nil || len(results) != 1 || results[0] != 7 {
			t.Fatalf("round %d: the results are %v, %v; want [7]", i, results, err)
		}
	}
}

// TestResultsAreInTheOrderOfTheSubmits includes submits that fail.
func TestResultsAreInTheOrderOfTheSubmits(t *testing.T) {
	m := start(t)
	g := taskmanager.NewResultGroup[int](t.Context(), m, taskmanager.WithCollect())
	for i, name := range []string{"a", "", "b", "nil", "c"} {
		fn := func(context.Context) (int, error) { return i, nil }
		if name == "nil" {
			fn = nil
		}
		_ = g.Go(name, fn)
	}
	got, err := g.Wait(t.Context())
	check.Equal(t, "results", got, []int{0, 0, 2, 0, 4})
	if err == nil {
		t.Error("two submits have failed, and Wait returned no error")
	}
}
