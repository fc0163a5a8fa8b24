package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
)

// fakeCluster is a source that a test sets up. Its calls are noted with their times.
type fakeCluster struct {
	overview dashboard.ClusterOverview
	tasks    dashboard.ClusterTasks
	dead     dashboard.ClusterDeadLetters

	mu     sync.Mutex                      // guards the rest
	before func(ctx context.Context) error // each call, if it is not nil
	calls  []string
	begins []time.Time
}

func (f *fakeCluster) call(ctx context.Context, format string, args ...any) error {
	f.mu.Lock()
	f.calls, f.begins = append(f.calls, fmt.Sprintf(format, args...)), append(f.begins, time.Now())
	before := f.before
	f.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(ctx)
}

// hook sets what each call does.
func (f *fakeCluster) hook(before func(ctx context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// took returns the calls since the last time.
func (f *fakeCluster) took() (calls []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls, f.calls = f.calls, nil
	return calls
}

func (f *fakeCluster) Overview(ctx context.Context) (dashboard.ClusterOverview, error) {
	return f.overview, f.call(ctx, "overview")
}

func (f *fakeCluster) Tasks(ctx context.Context, s dashboard.ClusterSearch) (dashboard.ClusterTasks, error) {
	return f.tasks, f.call(ctx, "tasks %q %q %d", s.Text, s.Kind, s.Limit)
}

func (f *fakeCluster) DeadLetters(ctx context.Context, s dashboard.ClusterSearch) (dashboard.ClusterDeadLetters, error) {
	return f.dead, f.call(ctx, "dead %q %q %d", s.Text, s.Kind, s.Limit)
}

func (f *fakeCluster) Cancel(ctx context.Context, name string) (bool, error) {
	return name != "unknown", f.call(ctx, "cancel %q", name)
}

func (f *fakeCluster) Retry(ctx context.Context, l dashboard.DeadLetter) error {
	return f.call(ctx, "retry %q %q %q", l.ID, l.Kind, l.Name)
}

func (f *fakeCluster) Delete(ctx context.Context, l dashboard.DeadLetter) error {
	return f.call(ctx, "delete %q %q %q", l.ID, l.Kind, l.Name)
}

func TestClusterAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		now := time.Now()
		f := &fakeCluster{
			overview: dashboard.ClusterOverview{
				Processes: []dashboard.ClusterProcess{
					{ID: "p1", Name: "images", Host: "a", PID: 7, Kinds: []string{"resize", "fetch"}, Workers: 4, Running: 3, Since: now.Add(-time.Hour), Seen: now},
					{ID: "p2", Workers: 2},
				},
				Kinds: []dashboard.ClusterKind{{Kind: "resize", Waiting: 5, Running: 3, Dead: 1, Processes: 1, Consumer: true}, {Kind: "mail", Waiting: 2, Dead: -5}},
				Note:  "One process is silent.",
			},
			tasks: dashboard.ClusterTasks{Total: 9, Tasks: []dashboard.ClusterTask{
				{Name: "a", Kind: "resize", State: "running", Process: "images", Progress: 0.5, HasProgress: true, Attempt: 2, Restarts: 1, Started: now.Add(-time.Second), Error: "x\ny"},
				{Name: "b", Kind: "resize", State: "queued", Level: "high", Progress: math.NaN(), HasProgress: true},
			}},
			dead: dashboard.ClusterDeadLetters{Total: 1, Complete: true, Letters: []dashboard.DeadLetter{
				{ID: "17", Kind: "resize", Name: "c", Reason: "no such file", Attempts: 3, Process: "images", At: now.Add(-time.Minute)},
			}},
		}
		d := show(t, dashboard.Manager("m", start(t)), dashboard.Cluster("shop", f))
		equal(t, "clusters of meta", get[struct{ Clusters []struct{ Name string } }](t, d, "meta").Clusters, []struct{ Name string }{{"shop"}})
		equal(t, "meta of the cluster", get[struct{ Title string }](t, d, "meta?m=shop").Title, "Tasks")

		at := func(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
		equal(t, "cluster", get[map[string]any](t, d, "cluster"), map[string]any{
			"now": at(now), "workers": 6.0, "busy": 3.0, "waiting": 7.0, "running": 3.0, "dead": -1.0, "note": "One process is silent.",
			"moreProcesses": 0.0, "moreKinds": 0.0,
			"processes": []any{
				map[string]any{"id": "p1", "name": "images", "host": "a", "pid": 7.0, "kinds": []any{"resize", "fetch"}, "moreKinds": 0.0, "workers": 4.0, "running": 3.0,
					"since": at(now.Add(-time.Hour)), "seen": at(now)},
				map[string]any{"id": "p2", "name": "", "host": "", "pid": 0.0, "kinds": []any{}, "moreKinds": 0.0, "workers": 2.0, "running": 0.0},
			},
			"kinds": []any{
				map[string]any{"kind": "resize", "waiting": 5.0, "running": 3.0, "dead": 1.0, "processes": 1.0, "consumer": true},
				map[string]any{"kind": "mail", "waiting": 2.0, "running": 0.0, "dead": -1.0, "processes": 0.0, "consumer": false},
			},
		})
		begun := at(time.Now())
		equal(t, "tasks", get[map[string]any](t, d, "cluster-tasks?m=shop"), map[string]any{
			"total": 9.0, "complete": false, "tasks": []any{
				map[string]any{"name": "a", "kind": "resize", "state": "running", "process": "images", "progress": 0.5, "attempt": 2.0, "restarts": 1.0, "started": begun - 1, "error": "x\ny"},
				map[string]any{"name": "b", "kind": "resize", "state": "queued", "level": "high", "attempt": 0.0, "restarts": 0.0},
			},
		})
		equal(t, "dead letters", get[map[string]any](t, d, "dead"), map[string]any{
			"total": 1.0, "complete": true, "letters": []any{
				map[string]any{"letter": "17", "name": "c", "kind": "resize", "reason": "no such file", "attempts": 3.0, "process": "images", "at": begun - 60},
			},
		})
		equal(t, "calls", f.took(), []string{"overview", `tasks "" "" 100`, `dead "" "" 100`})
		for place, want := range map[string]int{
			"cluster?m=m": 404, "cluster?m=nope": 404, "tasks?m=shop": 404, "overview?m=shop": 404, "events?m=shop": 404, "meta?m=nope": 404,
			"cluster-tasks?limit=x": 400, "dead?limit=x": 400,
		} {
			equal(t, "status of "+place, do(t, d, http.MethodGet, "/api/v1/"+place, "").Code, want)
		}
		equal(t, "calls of bad requests", f.took(), nil)
	})
}

// A dashboard may show a cluster only.
func TestOnlyACluster(t *testing.T) {
	d := show(t, dashboard.Cluster("shop", new(fakeCluster)))
	equal(t, "clusters", len(get[struct{ Clusters, Managers []any }](t, d, "meta").Clusters), 1)
	equal(t, "an empty cluster", get[struct{ Processes, Kinds []any }](t, d, "cluster"), struct{ Processes, Kinds []any }{[]any{}, []any{}})
	equal(t, "the overview of a manager", do(t, d, http.MethodGet, "/api/v1/overview", "").Code, http.StatusNotFound)
}

// Whatever the number of clients, the source is called once a second. When nobody looks, it is not called.
func TestClusterIsAskedOnceASecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		d := show(t, dashboard.Cluster("shop", f))
		time.Sleep(time.Minute)
		equal(t, "calls without a client", f.took(), nil)
		var clients sync.WaitGroup
		statuses := make([]map[int]int, 100)
		end := time.Now().Add(20 * time.Second)
		for i := range statuses {
			statuses[i] = make(map[int]int)
			clients.Go(func() {
				for time.Now().Before(end) {
					place := []string{"cluster", "dead", "cluster-tasks?q=a", "cluster-tasks"}[i%4]
					statuses[i][do(t, d, http.MethodGet, "/api/v1/"+place, "").Code]++
					time.Sleep(time.Duration(100+i) * time.Millisecond)
				}
			})
		}
		clients.Wait()
		all := make(map[int]int)
		for _, of := range statuses {
			for status, n := range of {
				all[status] += n
			}
		}
		if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []int{http.StatusOK}) {
			t.Errorf("statuses and how often: %v", all)
		}
		for i := range f.begins[1:] {
			if gap := f.begins[i+1].Sub(f.begins[i]); gap < time.Second {
				t.Errorf("calls %d and %d are %v apart", i, i+1, gap)
			}
		}
		if n := len(f.took()); n < 19 || n > 25 {
			t.Errorf("%d calls in 20 seconds", n)
		}
		time.Sleep(time.Minute)
		equal(t, "calls when all have gone", f.took(), nil)
	})
}

// Too many different searches do not wait for long.
func TestTooManySearches(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		d := show(t, dashboard.Cluster("shop", f))
		var clients sync.WaitGroup
		var mu sync.Mutex
		statuses := make(map[int]int)
		begin := time.Now()
		for i := range 50 {
			clients.Go(func() {
				w := do(t, d, http.MethodGet, fmt.Sprintf("/api/v1/cluster-tasks?q=%d", i), "")
				mu.Lock()
				defer mu.Unlock()
				statuses[w.Code]++
				if w.Code != 200 && !strings.Contains(w.Body.String(), "try again") {
					t.Errorf("status %d, %s", w.Code, w.Body)
				}
			})
		}
		clients.Wait()
		equal(t, "statuses", statuses, map[int]int{http.StatusOK: 5, http.StatusServiceUnavailable: 45})
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("the last answer came after %v", took)
		}
	})
}

func TestClusterThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		d := show(t, dashboard.Cluster("shop", f))
		release := make(chan struct{})
		for _, c := range []struct {
			what   string
			before func(ctx context.Context) error
			status int
			want   string
			took   time.Duration
		}{
			{"an error", func(context.Context) error { return errors.New("no broker\u202e") }, 502, `the cluster: no broker\\u202e`, 0},
			{"a panic", func(context.Context) error { panic("the secret book") }, 502, "panicked; the log", 0},
			{"Goexit", func(context.Context) error { runtime.Goexit(); return nil }, 502, "ended its goroutine", 0},
			{"a slow source", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 504, "does not answer", 5 * time.Second},
			{"a source that ignores its context", func(context.Context) error { <-release; return nil }, 504, "does not answer", 5 * time.Second},
		} {
			f.hook(c.before)
			time.Sleep(time.Minute)
			begin := time.Now()
			w := do(t, d, http.MethodGet, "/api/v1/cluster", "")
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), "secret") || time.Since(begin) != c.took {
				t.Errorf("%s: status %d after %v, %s", c.what, w.Code, time.Since(begin), w.Body)
			}
		}
		// Calls that do not return are not made again for ever.
		f.took()
		for range 30 {
			time.Sleep(time.Minute)
			begin := time.Now()
			if w := do(t, d, http.MethodGet, "/api/v1/cluster", ""); w.Code != 504 || time.Since(begin) > 5*time.Second {
				t.Errorf("status %d after %v", w.Code, time.Since(begin))
			}
		}
		if n := len(f.took()); n > 8 {
			t.Errorf("%d calls do not return", n)
		}
		close(release)
		synctest.Wait()
		f.hook(nil)
		time.Sleep(time.Minute)
		equal(t, "status when the source answers again", do(t, d, http.MethodGet, "/api/v1/cluster", "").Code, http.StatusOK)
	})
}

// Close ends the calls of the source.
func TestCloseEndsCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := &fakeCluster{before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		d := show(t, dashboard.Cluster("shop", f))
		var clients sync.WaitGroup
		for i := range 3 { // the first is in its call; the others wait for their turns
			clients.Go(func() { do(t, d, http.MethodGet, fmt.Sprintf("/api/v1/dead?q=%d", i), "") })
		}
		synctest.Wait()
		begin := time.Now()
		d.Close()
		clients.Wait()
		equal(t, "time", time.Since(begin), 0)
		equal(t, "status afterwards", do(t, d, http.MethodGet, "/api/v1/cluster", "").Code, http.StatusServiceUnavailable)
		equal(t, "calls", len(f.took()), 1)
	})
}

func TestClusterActions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		p := new(permit)
		d := show(t, dashboard.Manager("m", start(t)), dashboard.Cluster("shop", f), dashboard.Actions(p.allow, dashboard.Cancel, dashboard.Retry, dashboard.Delete))
		user := []string{"X-User", "a"}
		for _, c := range []struct {
			body    string
			headers []string
			want    int
		}{
			{`{"manager":"shop","action":"retry","name":"x","kind":"k","letter":"17"}`, user, 204},
			{`{"manager":"shop","action":"delete","name":"x","kind":"","letter":"18"}`, user, 204},
			{`{"manager":"shop","action":"cancel","name":"x"}`, user, 204},
			{`{"manager":"shop","action":"cancel","name":"unknown"}`, user, 404},
			{`{"manager":"shop","action":"retry","name":"x","kind":"k","letter":"17"}`, nil, 403},
			{`{"manager":"shop","action":"retry","name":"x","kind":"k","letter":"17"}`, []string{"X-User", "a", "Sec-Fetch-Site", "cross-site"}, 403},
			{`{"manager":"shop","action":"retry","name":"x","kind":"k"}`, user, 400},
			{`{"manager":"shop","action":"retry","kind":"k","letter":"17"}`, user, 400},
			{`{"manager":"shop","action":"delete","name":"x","kind":"k","letter":"1\n7"}`, user, 400},
			{`{"manager":"shop","action":"delete","name":"x","kind":"k","letter":"` + strings.Repeat("1", 201) + `"}`, user, 400},
			{`{"manager":"shop","action":"pause"}`, user, 403},
			{`{"manager":"m","action":"retry","name":"x","kind":"k","letter":"17"}`, user, 400},
			{`{"manager":"nope","action":"retry","name":"x","kind":"k","letter":"17"}`, user, 404},
		} {
			if status, answer := act(t, d, c.body, c.headers...); status != c.want {
				t.Errorf("%s: status %d, want %d, %s", c.body, status, c.want, answer)
			}
		}
		equal(t, "what was done", f.took(), []string{`retry "17" "k" "x"`, `delete "18" "" "x"`, `cancel "x"`, `cancel "unknown"`})
		equal(t, "what was asked", p.asked, []string{`retry "x"`, `delete "x"`, `cancel "x"`, `cancel "unknown"`, `retry "x"`, `retry "x"`})
		f.hook(func(context.Context) error { return errors.New("it is gone") })
		if status, answer := act(t, d, `{"manager":"shop","action":"retry","name":"x","kind":"k","letter":"17"}`, user...); status != 502 || !strings.Contains(answer, "it is gone") {
			t.Errorf("status %d, %s", status, answer)
		}
	})
}

// An action for a cluster that no cluster has is refused, also if it is enabled for managers.
func TestClusterHasNoWorkersToResize(t *testing.T) {
	d := show(t, dashboard.Cluster("shop", new(fakeCluster)), dashboard.Actions(new(permit).allow, dashboard.Pause))
	if status, answer := act(t, d, `{"manager":"shop","action":"pause"}`, "X-User", "a"); status != 400 || !strings.Contains(answer, "is a cluster") {
		t.Errorf("status %d, %s", status, answer)
	}
}

// After an action the page sees what came of it, not an answer from before.
func TestActionsMakeAnswersOld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		d := show(t, dashboard.Cluster("shop", f), dashboard.Actions(new(permit).allow, dashboard.Delete))
		get[any](t, d, "dead")
		act(t, d, `{"manager":"shop","action":"delete","name":"x","kind":"k","letter":"17"}`, "X-User", "a")
		get[any](t, d, "dead")
		equal(t, "calls", f.took(), []string{`dead "" "" 100`, `delete "17" "k" "x"`, `dead "" "" 100`})
	})
}

// Texts of a cluster may hold anything.
func TestHostileCluster(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		for i, h := range hostile {
			f.overview.Processes = append(f.overview.Processes, dashboard.ClusterProcess{ID: h.name, Name: h.name, Host: h.name, Kinds: slices.Repeat([]string{h.name}, 30)})
			f.overview.Kinds = append(f.overview.Kinds, dashboard.ClusterKind{Kind: h.name})
			f.tasks.Tasks = append(f.tasks.Tasks, dashboard.ClusterTask{Name: h.name, Kind: h.name, Key: h.name, State: h.name, Process: h.name, Level: h.name, Description: h.name, Error: h.name})
			f.dead.Letters = append(f.dead.Letters, dashboard.DeadLetter{ID: fmt.Sprint(i), Name: h.name, Kind: h.name, Process: h.name, Reason: h.name},
				dashboard.DeadLetter{ID: h.name, Name: "x"})
		}
		f.overview.Note, f.tasks.Note, f.dead.Note = hostile[6].name, hostile[6].name, hostile[6].name
		d := show(t, dashboard.Cluster("shop", f))
		for _, place := range []string{"cluster", "cluster-tasks", "dead"} {
			checkClean(t, d, place)
		}
		type dead struct {
			Letters []struct{ Letter, Name string }
		}
		letters := get[dead](t, d, "dead?q="+url.QueryEscape(hostile[6].name)).Letters
		for i, h := range hostile {
			got := letters[2*i]
			equal(t, "the letter of "+h.shown, got.Letter != "", h.page)
			equal(t, "its name", got.Name, h.shown)
		}
		equal(t, "calls", f.took()[3:], []string{fmt.Sprintf("dead %q %q 100", hostile[6].name, "")})
	})
}

// A source that returns more than it was asked for is cut.
func TestLargeCluster(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := new(fakeCluster)
		f.overview.Processes = make([]dashboard.ClusterProcess, 1000)
		f.overview.Kinds = make([]dashboard.ClusterKind, 1000)
		for i := range f.overview.Processes {
			f.overview.Processes[i].Workers = 2
			f.overview.Kinds[i].Waiting = math.MaxInt64 / 1500
		}
		f.tasks = dashboard.ClusterTasks{Complete: true, Tasks: make([]dashboard.ClusterTask, 1000)}
		f.dead = dashboard.ClusterDeadLetters{Complete: true, Letters: make([]dashboard.DeadLetter, 1000)}
		d := show(t, dashboard.Cluster("shop", f))
		type overview struct {
			Processes, Kinds         []any
			MoreProcesses, MoreKinds int
			Workers, Waiting         int64
		}
		o := get[overview](t, d, "cluster")
		got := []int64{int64(len(o.Processes)), int64(len(o.Kinds)), int64(o.MoreProcesses), int64(o.MoreKinds), o.Workers, o.Waiting}
		equal(t, "the overview", got, []int64{500, 500, 500, 500, 2000, math.MaxInt64 / 1500 * 1000})
		type lists struct {
			Tasks, Letters []any
			Complete       bool
		}
		if l := get[lists](t, d, "cluster-tasks?limit=99999"); len(l.Tasks) != 500 || l.Complete {
			t.Errorf("%d tasks, complete %t", len(l.Tasks), l.Complete)
		}
		if l := get[lists](t, d, "dead?limit=7"); len(l.Letters) != 7 || l.Complete {
			t.Errorf("%d letters, complete %t", len(l.Letters), l.Complete)
		}
	})
}
