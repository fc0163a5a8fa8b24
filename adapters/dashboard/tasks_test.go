package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// row is the row of a task.
type row struct {
	Name              string
	ID                *string
	State             string
	Kind, Key         string
	Priority          int
	Attempt, Restarts int
	Worker            int
	Description       string
	Progress          *float64
	ProgressError     string
	Error             string
	Queued, Started   float64
	Due, Deadline     float64
	Trace             string
	Mute, Unasked     bool
}

type page struct {
	Tasks          []row
	Scanned        int
	Complete, More bool
	Next           string
	Took           float64
}

func (p page) names() []string {
	names := []string{}
	for _, r := range p.Tasks {
		names = append(names, r.Name)
	}
	return names
}

// everyState starts a manager with a task in each state; two are queued.
func everyState(t *testing.T) (*taskmanager.TaskManager, *dashboard.Dashboard) {
	t.Helper()
	m, d := watched(t, taskmanager.WithWorkers(1, 2))
	submit(t, m, "restarting", breakDown, taskmanager.WithRestart(restart.Constant(time.Hour)), taskmanager.WithKind("fetch"))
	submit(t, m, "delayed", succeed, taskmanager.WithDelay(time.Hour), taskmanager.WithKey("acme"))
	synctest.Wait()
	submit(t, m, "blocked", func(ctx context.Context) error {
		taskmanager.Blocking(ctx, func() { <-ctx.Done() })
		return nil
	}, taskmanager.WithKind("fetch"))
	for i := range 2 {
		submit(t, m, fmt.Sprint("running", i), untilCancelled, taskmanager.WithKey("acme"))
	}
	submit(t, m, "queued0", succeed, taskmanager.WithPriority(3))
	submit(t, m, "queued1", succeed, taskmanager.WithDeadline(time.Now().Add(time.Hour)))
	synctest.Wait()
	return m, d
}

func TestTasks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := everyState(t)
		for args, want := range map[string]string{
			"":                                 "running0 running1 blocked restarting queued0 queued1 delayed",
			"?q=queued":                        "queued0 queued1",
			"?q=queued0":                       "queued0",
			"?q=nothing":                       "",
			"?state=running":                   "running0 running1",
			"?state=blocked":                   "blocked",
			"?state=queued":                    "queued0 queued1",
			"?state=delayed":                   "delayed",
			"?state=restarting":                "restarting",
			"?state=running&q=1":               "running1",
			"?kind=fetch":                      "blocked restarting",
			"?kind=fetch&state=blocked":        "blocked",
			"?key=acme":                        "running0 running1 delayed",
			"?key=acme&state=running&kind=oth": "",
			"?q=queued0&state=running":         "",
		} {
			p := get[page](t, d, "tasks"+args)
			if got := strings.Join(p.names(), " "); got != want || !p.Complete || p.More {
				t.Errorf("tasks%s: got %q, complete %t, more %t; want %q", args, got, p.Complete, p.More, want)
			}
		}
		equal(t, "outstanding", m.Counts().Outstanding(), 7)
		for _, c := range []string{"state=finished", "skip=x", "limit=x", "after=x", "after=worker-1", "after=worker-1&state=running&skip=1", "q=%zz", "state=running&after=x"} {
			if w := do(t, d, http.MethodGet, "/api/v1/tasks?"+c, ""); w.Code != http.StatusBadRequest {
				t.Errorf("tasks?%s: status %d, %s", c, w.Code, w.Body)
			}
		}
	})
}

func TestTheRowOfATask(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, d := everyState(t)
		now := float64(time.Now().Unix())
		find := func(name string) row {
			p := get[page](t, d, "tasks?q="+name)
			if len(p.Tasks) != 1 {
				t.Fatalf("%d tasks are named %s", len(p.Tasks), name)
			}
			return p.Tasks[0]
		}
		equal(t, "restarting", find("restarting"), row{
			Name: "restarting", State: "restarting", Kind: "fetch", Attempt: 2, Restarts: 1, Worker: 1, Error: errBroken.Error(),
			Queued: now, Started: now, Due: now + 3600,
		})
		equal(t, "delayed", find("delayed"), row{Name: "delayed", State: "delayed", Kind: "func", Key: "acme", Attempt: 1, Due: now + 3600, Queued: now})
		equal(t, "queued", find("queued0"), row{Name: "queued0", State: "queued", Kind: "func", Priority: 3, Attempt: 1, Queued: now})
		equal(t, "with a deadline", find("queued1").Deadline, now+3600)
	})
}

// Over all pages, each task comes once, whatever the sizes of the pages.
func TestPages(t *testing.T) {
	m, d := watched(t, taskmanager.WithWorkers(1, 5))
	all := map[string][]string{}
	for i := range 700 {
		name, state := fmt.Sprintf("task-%03d", i), "delayed"
		switch {
		case i%100 > 0:
			submit(t, m, name, succeed, taskmanager.WithDelay(time.Hour))
		case i < 500:
			state = "running"
			<-submit(t, m, name, untilCancelled).Started()
		default:
			state = "queued"
			submit(t, m, name, succeed)
		}
		all[state], all[""] = append(all[state], name), append(all[""], name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		state := rapid.SampledFrom([]string{"", "delayed", "running", "queued"}).Draw(rt, "state")
		part := rapid.SampledFrom([]string{"", "task-", "7", "99"}).Draw(rt, "part")
		args := url.Values{"state": {state}, "q": {part}}
		var got []string
		for {
			limit := rapid.IntRange(1, 200).Draw(rt, "limit")
			args.Set("limit", fmt.Sprint(limit))
			p := get[page](t, d, "tasks?"+args.Encode())
			if len(p.Tasks) > limit || p.More != (p.Next != "") || p.Complete == p.More {
				rt.Fatalf("%d of %d tasks, next %q, more %t, complete %t", len(p.Tasks), limit, p.Next, p.More, p.Complete)
			}
			got = append(got, p.names()...)
			if p.Next == "" {
				break
			}
			args.Set("after", p.Next)
		}
		slices.Sort(got)
		want := slices.DeleteFunc(slices.Clone(all[state]), func(name string) bool { return !strings.Contains(name, part) })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("the tasks of state %q with %q (-want +got):\n%s", state, part, diff)
		}
	})
	for _, skip := range []string{"1073741824", "2147483647", "9223372036854775807"} { // more than an int may have
		equal(t, "tasks behind "+skip, len(get[page](t, d, "tasks?limit=200&skip="+skip).Tasks), 0)
	}
	if p := get[page](t, d, "tasks?skip=690"); p.Complete && (len(p.Tasks) != 10 || p.Scanned != 700) {
		t.Errorf("behind 690 tasks are %d, scanned %d", len(p.Tasks), p.Scanned)
	}
}

func TestTask(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(1, 1))
		type task struct {
			Task *row
			Past []execution
		}
		h := submit(t, m, "flaky", func(context.Context) error { time.Sleep(time.Second); return errBroken },
			taskmanager.WithRestart(restart.Constant(time.Minute)))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		v := get[task](t, d, "task?name=flaky")
		equal(t, "its state", v.Task.State, "restarting")
		equal(t, "its past", history{Executions: v.Past}.summary(), []string{"failure flaky 2", "failure flaky 1"})
		h.Cancel()
		<-h.Done()
		v = get[task](t, d, "task?name=flaky")
		if v.Task != nil || len(v.Past) != 2 {
			t.Errorf("after its end: %+v", v)
		}
		equal(t, "an unknown task", get[task](t, d, "task?name=flak"), task{nil, []execution{}})
	})
}

func TestQueueAndWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		m, d := watched(t, taskmanager.WithWorkers(2, 2), taskmanager.WithQueue(taskmanager.Priority(4)))
		begin := float64(time.Now().Unix())
		submit(t, m, "busy", untilCancelled, taskmanager.WithKey("acme"), taskmanager.WithKind("fetch"))
		synctest.Wait()
		type worker struct {
			ID                     int
			State, Task, Kind, Key string
			Attempt                int
			Since                  float64
		}
		type workers struct {
			Total   int
			Workers []worker
		}
		busy := worker{State: "running", Task: "busy", Kind: "fetch", Key: "acme", Attempt: 1, Since: begin}
		got := get[workers](t, d, "workers")
		slices.SortFunc(got.Workers, func(a, b worker) int { return strings.Compare(b.State, a.State) })
		busy.ID = got.Workers[0].ID
		equal(t, "workers", got, workers{2, []worker{busy, {ID: 3 - busy.ID, State: "idle"}}})
		equal(t, "the second worker", get[workers](t, d, "workers?skip=1&limit=1").Workers[0].ID, 2)

		submit(t, m, "busy too", untilCancelled)
		synctest.Wait()
		for i := range 3 {
			submit(t, m, fmt.Sprint("queued", i), succeed, taskmanager.WithPriority(i))
		}
		type queue struct {
			Tasks      []row
			Total      int
			Ordered    bool
			Discipline string
		}
		q := get[queue](t, d, "queue")
		equal(t, "the order", page{Tasks: q.Tasks}.names(), []string{"queued2", "queued1", "queued0"})
		q.Tasks = nil
		equal(t, "the queue", q, queue{nil, 3, true, "Priority(4)"})
	})
}
