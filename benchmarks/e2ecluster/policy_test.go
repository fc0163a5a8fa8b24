//go:build linux

package e2ecluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// A restart policy goes on where it was, though each worker is killed while the task waits for its next
// attempt.
func TestRestartsOutliveWorkers(t *testing.T) {
	c := launch(t, settings{})
	const delay, attempts = 1500 * time.Millisecond, 4
	c.submit("cured", job.Again, job.Job{Fails: attempts - 1})
	c.submit("hopeless", job.Again, job.Job{Fails: 1000})
	histories, err := c.js.KeyValue(context.Background(), "tasks_STATE")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"cured", "hopeless"}
	for i := 1; i < attempts; i++ {
		w := c.worker(fmt.Sprint("w", i), "-backoff", delay.String(), "-attempts", fmt.Sprint(attempts))
		for _, name := range names {
			c.until(fmt.Sprintf("attempt %d of %q to be stored", i, name), func(ctx context.Context) error {
				// Lookup would wait for the workers that are dead.
				entry, err := histories.Get(ctx, name)
				if err != nil {
					return err
				}
				var h struct {
					State restart.State `json:"state"`
				}
				if err := json.Unmarshal(entry.Value(), &h); err != nil {
					t.Fatal(err)
				}
				if h.State.Attempts != i {
					return fmt.Errorf("%d attempts are", h.State.Attempts)
				}
				return nil
			})
		}
		w.kill()
	}
	c.worker("last", "-backoff", delay.String(), "-attempts", fmt.Sprint(attempts))
	c.balance(patience)

	ends := map[string]ledger.Event{"cured": ledger.End, "hopeless": ledger.Failed}
	for _, name := range names {
		runs := c.runs(name)
		var got []string
		for i, r := range runs {
			got = append(got, fmt.Sprint(r.Attempt, " ", r.How))
			if i > 0 {
				between(t, fmt.Sprintf("the delay before attempt %d of %q", r.Attempt, name), since(runs[i-1].To, r.From), delay-50*time.Millisecond, delay+4*time.Second)
			}
		}
		want := []string{"1 failed", "2 failed", "3 failed", fmt.Sprint("4 ", ends[name])}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
	dead := c.deadLetters()
	if len(dead) != 1 || dead[0].Name != "hopeless" || dead[0].Attempts != attempts || !strings.Contains(dead[0].Reason, "fails on purpose") {
		t.Errorf("dead letters: %+v", dead)
	}
	t.Logf("\n%s", c.story("hopeless"))
}
