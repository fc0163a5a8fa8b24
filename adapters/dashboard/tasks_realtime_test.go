package dashboard_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Among a million tasks, a search ends soon and says that it is not complete; the next one continues. What
// needs no search is there at once.
func TestAMillionTasks(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const n = manyTasks
	m := start(t, taskmanager.WithWorkers(1, 4))
	d := show(t, dashboard.Manager("m", m))
	later := taskmanager.WithDelay(time.Hour)
	for i := range n {
		if _, err := m.SubmitFunc(t.Context(), fmt.Sprintf("tenant-%d/job/%07d", i%50, i), succeed, later); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		<-submit(t, m, fmt.Sprint("running", i), untilCancelled).Started()
	}
	// The limit is for a busy machine. To look at all tasks takes longer than that there.
	const limit = 5 * time.Second
	look := func(args string) page {
		t.Helper()
		begin := time.Now()
		p := get[page](t, d, "tasks?"+args)
		took := time.Since(begin)
		t.Logf("%-40s %4d tasks, %7d scanned, %v", args, len(p.Tasks), p.Scanned, took)
		if took > limit {
			t.Errorf("tasks?%s took %v", args, took)
		}
		return p
	}
	if p := look("q=nothing"); p.Complete || !p.More || p.Next == "" || p.Scanned == 0 || p.Scanned >= n || len(p.Tasks) > 0 {
		t.Errorf("the search for nothing: complete %t, more %t, scanned %d", p.Complete, p.More, p.Scanned)
	}
	if p := look(""); len(p.Tasks) != 50 || !p.More || p.Complete {
		t.Errorf("the first page has %d tasks, more %t, complete %t", len(p.Tasks), p.More, p.Complete)
	}
	equal(t, "an exact name", look("q=tenant-7/job/0000007").names(), []string{"tenant-7/job/0000007"})
	equal(t, "what runs", look("state=running").names(), []string{"running0", "running1", "running2", "running3"})
	look("state=queued")
	look("kind=nothing")
	look("state=delayed&limit=200")

	args, found, scanned := url.Values{"q": {"/job/0099"}, "limit": {"200"}}, 0, 0
	for {
		p := get[page](t, d, "tasks?"+args.Encode())
		found, scanned = found+len(p.Tasks), scanned+p.Scanned
		if p.Next == "" {
			break
		}
		args.Set("after", p.Next)
	}
	equal(t, "tasks over all pages", found, 1000)
	equal(t, "scanned over all pages", scanned, n+4)
	if err := m.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
