package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// busyManager starts a manager with 48 workers that run tasks of 5 kinds and 8 keys.
func busyManager(b testing.TB) (*taskmanager.TaskManager, *Collector) {
	b.Helper()
	c := NewCollector()
	m, err := taskmanager.Start(taskmanager.WithWorkers(48, 48), taskmanager.WithObserver(c))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Stop(context.Background()) })
	for i := range 1048 {
		f := func(context.Context) error { return nil }
		if i >= 1000 {
			f = func(ctx context.Context) error { <-ctx.Done(); return nil }
		}
		h, err := m.SubmitFunc(context.Background(), fmt.Sprint("task-", i), f,
			taskmanager.WithKind(fmt.Sprint("kind", i%5)), taskmanager.WithKey(fmt.Sprint("key", i%8)))
		if err != nil {
			b.Fatal(err)
		}
		<-h.Started()
	}
	return m, c
}

// BenchmarkTick is what a manager with 48 busy workers costs each second: the sample and, with a viewer, the
// event for all viewers.
func BenchmarkTick(b *testing.B) {
	m, c := busyManager(b)
	for _, viewers := range []int{0, 1, 32} {
		b.Run(fmt.Sprint("viewers=", viewers), func(b *testing.B) {
			x := newManaged(given{name: "m", m: m, collector: c})
			for range viewers {
				ticks, _ := x.viewers.join()
				defer x.viewers.leave(ticks)
			}
			b.ReportAllocs()
			for b.Loop() {
				x.sample()
				x.sampleKeys()
				x.sendTick()
			}
		})
	}
}

// BenchmarkAnswer is what a request costs, with the encoding.
func BenchmarkAnswer(b *testing.B) {
	m, c := busyManager(b)
	d := New(Manager("m", m, c))
	defer d.Close()
	for _, place := range []string{"overview", "series?seconds=900", "tasks", "kinds", "keys", "history"} {
		b.Run(place, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/api/v1/"+place, http.NoBody)
				r.Host = "localhost"
				d.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

// BenchmarkCollector is what the collector itself adds to a task that succeeds, on as many workers as
// there are processors.
func BenchmarkCollector(b *testing.B) {
	c := NewCollector()
	ctx := context.Background()
	var workers atomic.Int32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := observe.Run{Task: observe.Task{Name: "name", Kind: "kind"}, Worker: workers.Add(1), Attempt: 1, Waited: time.Microsecond}
		result := observe.Result{Outcome: observe.Success, Took: time.Millisecond}
		for pb.Next() {
			c.EndRun(c.BeginRun(ctx, r), r, result)
			c.TaskEnded(ctx, observe.End{Task: r.Task, Outcome: observe.Success, Attempts: 1})
		}
	})
}
