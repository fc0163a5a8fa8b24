package e2edashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
)

// cluster is a source of a cluster in memory. Dead letters are retried and deleted in it.
type cluster struct {
	mu    sync.Mutex // guards the rest
	down  error      // of all calls
	blind bool       // the numbers of tasks are unknown
	calls int        // other than actions
	did   []string
	tasks []dashboard.ClusterTask
	dead  []dashboard.DeadLetter
}

// newCluster returns a cluster with hostile names.
func newCluster() *cluster {
	now := time.Now()
	c := &cluster{}
	for i, name := range []string{victim, hostile, hidden, longName} {
		c.tasks = append(c.tasks, dashboard.ClusterTask{
			Name: name, Kind: hostile, Key: hostile, State: "running", Process: hostile, Level: []string{"", "high"}[i%2], Attempt: i + 1, Restarts: i,
			Description: hostile, Progress: float64(i) / 4, HasProgress: true, Started: now.Add(-time.Minute), Error: strings.Repeat(hostile, i%2),
		})
		c.dead = append(c.dead, dashboard.DeadLetter{
			ID: fmt.Sprint(i), Name: name, Kind: hostile, Reason: "taskmanager: " + strings.Repeat("the image "+name+" has no pixels\n", 1+9*(i%2)), Attempts: 3, Process: hostile, At: now.Add(-time.Duration(i) * time.Hour),
		})
	}
	for i := range 9 {
		c.tasks = append(c.tasks, dashboard.ClusterTask{Name: fmt.Sprintf("thumbnail/%d", i), Kind: "thumbnail", State: "queued", Queued: now.Add(-time.Minute), Deadline: now.Add(time.Hour)})
		c.dead = append(c.dead, dashboard.DeadLetter{ID: fmt.Sprint(10 + i), Name: fmt.Sprintf("thumbnail/%d", i), Kind: "thumbnail", Reason: "no space left on device", Attempts: 1, Process: "worker-1", At: now.Add(-24 * time.Hour)})
	}
	c.tasks = append(c.tasks, dashboard.ClusterTask{Name: "report/later", Kind: "report", State: "delayed", Due: now.Add(time.Hour)})
	return c
}

// begin begins a call other than an action.
func (c *cluster) begin() error {
	c.calls++
	return c.down
}

func (c *cluster) Overview(context.Context) (o dashboard.ClusterOverview, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for i, name := range []string{"worker-1", hostile, hidden, longName} {
		o.Processes = append(o.Processes, dashboard.ClusterProcess{
			ID: fmt.Sprint(i), Name: name, Host: hostile, PID: 1000 + i, Kinds: []string{"thumbnail", hostile, longName}[:1+i%3], Workers: 4, Running: i + 1, Since: now.Add(-time.Hour), Seen: now.Add(-time.Duration(i*7) * time.Second),
		})
	}
	o.Kinds = []dashboard.ClusterKind{
		{Kind: "thumbnail", Waiting: 9, Running: 3, Dead: 9, Processes: 4, Consumer: true}, {Kind: hostile, Waiting: 12345, Running: 4, Dead: 4},
		{Kind: hidden, Dead: -1}, {Kind: longName, Processes: 1, Consumer: true}, {Kind: "report", Running: 1, Consumer: true},
	}
	if c.blind {
		o.Processes[2].Seen, o.Processes[3].Seen = now, now
		o.Kinds = []dashboard.ClusterKind{{Kind: "thumbnail", Waiting: -1, Running: -1, Dead: -1, Processes: 4, Consumer: true}}
	}
	o.Note = "One process does not answer: " + hostile
	return o, c.begin()
}

func (c *cluster) Tasks(_ context.Context, s dashboard.ClusterSearch) (dashboard.ClusterTasks, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(c.tasks), func(t dashboard.ClusterTask) bool {
		return !strings.Contains(t.Name, s.Text) || s.Kind != "" && t.Kind != s.Kind
	})
	return dashboard.ClusterTasks{Tasks: list, Total: int64(len(c.tasks)), Complete: true}, c.begin()
}

func (c *cluster) DeadLetters(_ context.Context, s dashboard.ClusterSearch) (dashboard.ClusterDeadLetters, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(c.dead), func(l dashboard.DeadLetter) bool {
		return !strings.Contains(l.Name, s.Text) || s.Kind != "" && l.Kind != s.Kind
	})
	return dashboard.ClusterDeadLetters{Letters: list, Total: int64(len(c.dead)), Complete: s.Kind == "", Note: "Only the newest letters were looked at."}, c.begin()
}

func (c *cluster) Cancel(_ context.Context, name string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.tasks)
	c.tasks = slices.DeleteFunc(c.tasks, func(t dashboard.ClusterTask) bool { return t.Name == name })
	c.did = append(c.did, "cancel "+name)
	return len(c.tasks) < n, nil
}

func (c *cluster) Retry(_ context.Context, l dashboard.DeadLetter) error { return c.remove("retry", l) }
func (c *cluster) Delete(_ context.Context, l dashboard.DeadLetter) error {
	return c.remove("delete", l)
}

// remove removes a dead letter.
func (c *cluster) remove(how string, l dashboard.DeadLetter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.dead)
	c.dead = slices.DeleteFunc(c.dead, func(d dashboard.DeadLetter) bool { return d.ID == l.ID && d.Kind == l.Kind && d.Name == l.Name })
	if len(c.dead) == n {
		return errors.New("no such dead letter")
	}
	c.did = append(c.did, how+" "+l.Name)
	return nil
}

// set changes the cluster.
func (c *cluster) set(change func(c *cluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// fail makes the cluster fail, or answer again if err is nil.
func (c *cluster) fail(err error) { c.set(func(c *cluster) { c.down = err }) }

// look returns the calls so far and what was done.
func (c *cluster) look() (calls int, did []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls, slices.Clone(c.did)
}

// inRow clicks a button in the row with a text.
func (b *tab) inRow(text, word string) {
	b.t.Helper()
	found := `[...document.querySelectorAll('tbody tr')].find(r => r.innerText.includes(` + quote(text) + `))`
	b.until(found)
	eval[any](b, `[...`+found+`.querySelectorAll('button')].find(e => e.innerText === `+quote(word)+`).click(), null`)
	b.until(`document.querySelector('#ask')?.open && document.querySelector('#ask form')`)
}

// The page of a cluster does what its buttons say, with hostile names too.
func TestCluster(t *testing.T) {
	b := browser(t)
	p := launch(t)
	at := "#/" + url.PathEscape(shop)
	t.Run("actions", func(t *testing.T) {
		tab := open(b, t, 1280, 900)
		tab.visit(p.url(at+"/dead"), "thumbnail/3")
		tab.inRow("thumbnail/3", "Retry")
		tab.confirm("Retry", "thumbnail/3 was submitted again")
		tab.until(`!document.querySelector('main').innerText.includes('thumbnail/3')`)
		for _, row := range []string{escaped, hostile} {
			tab.inRow("the image "+row, "Delete")
			tab.confirm("Delete", "was deleted")
			tab.until(`!document.querySelector('main table').innerText.includes('the image ' + ` + quote(row) + `)`)
		}
		tab.visit(p.url(at+"/tasks"), "report/later")
		tab.inRow("report/later", "Cancel task")
		tab.confirm("Cancel task", "report/later was cancelled")
		tab.until(`!document.querySelector('main').innerText.includes('report/later')`)
		_, did := p.cluster.look()
		if diff := cmp.Diff([]string{"retry thumbnail/3", "delete " + hidden, "delete " + hostile, "cancel report/later"}, did); diff != "" {
			t.Errorf("what was done (-want +got):\n%s", diff)
		}
	})
	t.Run("search", func(t *testing.T) {
		tab := open(b, t, 1280, 900)
		tab.visit(p.url(at+"/tasks"), "thumbnail/3")
		tab.press("/")
		tab.do(chromedp.KeyEvent("vict"))
		tab.untilText("1 task")
		tab.press("Escape")
		tab.press("3")
		tab.until(`document.querySelector('h1').innerText === 'Dead letters'`)
	})
	t.Run("unknown numbers", func(t *testing.T) {
		p.cluster.set(func(c *cluster) { c.blind = true })
		defer p.cluster.set(func(c *cluster) { c.blind = false })
		tab := open(b, t, 1280, 900)
		tab.visit(p.url(at+"/overview"), "10 workers are busy. It is unknown how many tasks wait.")
	})
	t.Run("a cluster that fails", func(t *testing.T) {
		tab := open(b, t, 1280, 900, "status of 502 (Bad Gateway)")
		tab.visit(p.url(at+"/overview"), "No process runs the kind")
		tab.until(`document.querySelector('.link.live')`)
		p.cluster.fail(errors.New("no broker " + hostile))
		tab.untilText("no broker")
		p.cluster.fail(nil)
		tab.until(`document.querySelector('.link.live') && !document.querySelector('main').innerText.includes('no broker')`)
	})
}

// Many pages ask the cluster as little as one.
func TestClusterIsLeftAlone(t *testing.T) {
	b := browser(t)
	p := launch(t)
	at := "#/" + url.PathEscape(shop)
	begin := time.Now()
	for _, page := range []string{"/overview", "/tasks", "/dead", "/overview"} {
		tab := open(b, t, 1280, 900)
		tab.visit(p.url(at+page), "thumbnail")
	}
	calls, _ := p.cluster.look()
	if most := int(time.Since(begin)/time.Second) + 2; calls > most {
		t.Errorf("%d calls in %v", calls, time.Since(begin))
	}
}
