package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/cluster"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon returns a context that ends when a test has taken far too long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	return ctx
}

// client returns a client of a server of its own.
func client(t *testing.T) *nats.Client {
	t.Helper()
	s, err := embed.Start(embed.Options{Dir: t.TempDir(), SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(soon(t)); err != nil {
			t.Error(err)
		}
	})
	return open(t, s)
}

// open returns a client of a server.
func open(t *testing.T, s *embed.Server, opts ...natsgo.Option) *nats.Client {
	t.Helper()
	nc, err := s.Conn(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c, err := nats.Open(soon(t), nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// work runs a worker with two workers for the kinds image, whose tasks run until they are cancelled, and mail, whose tasks
// fail. The returned channel gets the name of each task that begins.
func work(t *testing.T, c *nats.Client) (began chan string) {
	t.Helper()
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	w, err := nats.NewWorker(c, m, nats.WithProcessName("worker-1"))
	if err != nil {
		t.Fatal(err)
	}
	began = make(chan string, 100)
	err = errors.Join(
		nats.Handle(w, "image", func(ctx context.Context, name string) error {
			nats.SetProgress(ctx, 0.25, "scaling")
			began <- name
			<-ctx.Done()
			return context.Cause(ctx)
		}),
		nats.Handle(w, "mail", func(_ context.Context, name string) error {
			began <- name
			return errors.New("no such mailbox")
		}))
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- w.Run(context.Background()) }()
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer stop()
		_ = w.Drain(ctx) // its tasks run until then
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := m.Stop(soon(t)); err != nil {
			t.Error(err)
		}
	})
	return began
}

func submit(t *testing.T, c *nats.Client, kind, name string, opts ...nats.SubmitOption) {
	t.Helper()
	if _, err := nats.Submit(soon(t), c, name, name, append(opts, nats.WithKind(kind))...); err != nil {
		t.Fatal(err)
	}
}

// next returns the name of the next task that begins.
func next(t *testing.T, began <-chan string) string {
	t.Helper()
	select {
	case name := <-began:
		return name
	case <-soon(t).Done():
		t.Fatal("no task begins")
		return ""
	}
}

// retry retries a dead letter. Its name is taken for a moment after the letter is there.
func retry(t *testing.T, s dashboard.ClusterSource, l dashboard.DeadLetter) {
	t.Helper()
	eventually(t, "the dead letter is retried", true, func() (bool, error) {
		err := s.Retry(soon(t), l)
		if err != nil && !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Fatal(err)
		}
		return err == nil, nil
	})
}

// eventually asks again and again until the answer is as wanted.
func eventually[V any](t *testing.T, what string, want V, ask func() (V, error)) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); ; {
		got, err := ask()
		if err == nil && cmp.Equal(want, got) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v, after a minute (-want +got):\n%s", what, err, cmp.Diff(want, got))
		}
	}
}

func TestSource(t *testing.T) {
	c := client(t)
	s := cluster.Source(c)
	began := work(t, c)
	for i := range 3 { // the third one finds no worker
		submit(t, c, "image", fmt.Sprintf("image %d", i), nats.WithKey("tenant"), nats.WithDeadline(time.Now().Add(2*time.Hour)))
		if i < 2 {
			next(t, began)
		}
	}
	submit(t, c, "stranded", "later", nats.WithDelay(time.Hour), nats.WithPriority(nats.High), nats.WithDeadline(time.Now().Add(2*time.Hour)))

	type kind struct {
		Name                   string
		Waiting, Running, Dead int64
		Processes              int
		Consumer               bool
	}
	eventually(t, "kinds", []kind{{"image", 1, 2, 0, 1, true}, {"mail", 0, 0, 0, 1, true}, {"stranded", 1, 0, 0, 0, false}}, func() (kinds []kind, err error) {
		o, err := s.Overview(soon(t))
		for _, k := range o.Kinds {
			kinds = append(kinds, kind{k.Kind, k.Waiting, k.Running, k.Dead, k.Processes, k.Consumer})
		}
		return kinds, err
	})
	o, err := s.Overview(soon(t))
	if err != nil || len(o.Processes) != 1 {
		t.Fatalf("the processes are %+v, %v", o.Processes, err)
	}
	p := o.Processes[0]
	if p.Name != "worker-1" || p.ID == "" || p.Workers != 2 || p.Running != 2 || !slices.Equal(p.Kinds, []string{"image", "mail"}) || p.Since.IsZero() || p.Seen.IsZero() {
		t.Errorf("the process is %+v", p)
	}

	type row struct{ Name, Kind, Key, State, Process, Level, Description string }
	list := func(search dashboard.ClusterSearch) (rows []row, complete bool) {
		t.Helper()
		l, err := s.Tasks(soon(t), search)
		if err != nil || l.Total != 4 || l.Note != "" {
			t.Errorf("%d tasks in all, %q, %v", l.Total, l.Note, err)
		}
		for _, one := range l.Tasks {
			if d := time.Until(one.Deadline) - 2*time.Hour; d.Abs() > 10*time.Minute {
				t.Errorf("the deadline of %s is %v, want one in two hours", one.Name, one.Deadline)
			}
			rows = append(rows, row{one.Name, one.Kind, one.Key, one.State, one.Process, one.Level, one.Description})
		}
		return rows, l.Complete
	}
	rows, complete := list(dashboard.ClusterSearch{Limit: 10})
	want := []row{
		{"image 0", "image", "tenant", "running", "worker-1", "", "scaling"}, {"image 1", "image", "tenant", "running", "worker-1", "", "scaling"},
		{"image 2", "image", "tenant", "queued", "", "", ""}, {"later", "stranded", "", "delayed", "", "high", ""},
	}
	if diff := cmp.Diff(want, rows); diff != "" || !complete {
		t.Errorf("tasks, complete %t (-want +got):\n%s", complete, diff)
	}
	rows, _ = list(dashboard.ClusterSearch{Text: "age 1", Kind: "image", Limit: 10})
	if diff := cmp.Diff(want[1:2], rows); diff != "" {
		t.Errorf("tasks of the search (-want +got):\n%s", diff)
	}
	if found, err := s.Cancel(soon(t), "image 0"); !found || err != nil {
		t.Errorf("cancel: %t, %v", found, err)
	}
	if name := next(t, began); name != "image 2" {
		t.Errorf("task %q begins after the cancelled one", name)
	}
	if found, err := s.Cancel(soon(t), "nobody"); found || err != nil {
		t.Errorf("cancel an unknown task: %t, %v", found, err)
	}
}

func TestDeadLetters(t *testing.T) {
	c := client(t)
	s := cluster.Source(c)
	began := work(t, c)
	for _, name := range []string{"mail/1", "mail/2"} {
		submit(t, c, "mail", name)
		next(t, began)
	}
	names := func() (names []string, err error) {
		l, err := s.DeadLetters(soon(t), dashboard.ClusterSearch{Limit: 10})
		for _, d := range l.Letters {
			names = append(names, d.Name)
		}
		slices.Sort(names)
		return names, err
	}
	eventually(t, "dead letters", []string{"mail/1", "mail/2"}, names)
	l, err := s.DeadLetters(soon(t), dashboard.ClusterSearch{Text: "/1", Kind: "mail", Limit: 10})
	if err != nil || len(l.Letters) != 1 || l.Total != 2 || !l.Complete {
		t.Fatalf("the dead letters are %+v, %v", l, err)
	}
	d := l.Letters[0]
	if d.Name != "mail/1" || d.Kind != "mail" || d.Attempts != 1 || d.Process != "worker-1" || !bytes.Contains([]byte(d.Reason), []byte("no such mailbox")) || time.Since(d.At) > time.Minute {
		t.Errorf("the dead letter is %+v", d)
	}
	for _, wrong := range []dashboard.DeadLetter{
		{ID: d.ID, Kind: "mail", Name: "mail/2"}, {ID: d.ID, Kind: "image", Name: "mail/1"}, {ID: d.ID, Name: "mail/1"}, {ID: d.ID, Kind: "mail"},
		{ID: "0", Kind: "mail", Name: "mail/1"}, {ID: "x", Kind: "mail", Name: "mail/1"}, {ID: "999", Kind: "mail", Name: "mail/1"},
	} {
		if err := s.Retry(soon(t), wrong); !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("retry %+v: %v", wrong, err)
		}
		if err := s.Delete(soon(t), wrong); !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("delete %+v: %v", wrong, err)
		}
	}
	named := dashboard.DeadLetter{ID: d.ID, Kind: d.Kind, Name: d.Name}
	retry(t, s, named)
	if name := next(t, began); name != "mail/1" {
		t.Errorf("task %q runs again", name)
	}
	if err := s.Delete(soon(t), named); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("delete what was retried: %v", err)
	}
	eventually(t, "dead letters after the retry", []string{"mail/1", "mail/2"}, names)
	l, err = s.DeadLetters(soon(t), dashboard.ClusterSearch{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Letters {
		if err := s.Delete(soon(t), dashboard.DeadLetter{ID: d.ID, Kind: d.Kind, Name: d.Name}); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "dead letters in the end", nil, names)
}

// The rights of an operator suffice for everything.
func TestRights(t *testing.T) {
	publish, subscribe := nats.Permissions("tasks", nats.RoleOperator)
	s, err := embed.Start(embed.Options{
		Dir: t.TempDir(), SyncInterval: time.Minute, Listen: "127.0.0.1:0",
		Users: []embed.User{{Name: "dashboard", Password: "p", Publish: publish, Subscribe: subscribe}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(soon(t)); err != nil {
			t.Error(err)
		}
	})
	began := work(t, open(t, s))
	c := open(t, s, natsgo.UserInfo("dashboard", "p"))
	source := cluster.Source(c)
	submit(t, c, "image", "image/1")
	submit(t, c, "mail", "mail/1")
	next(t, began)
	next(t, began)
	eventually(t, "dead letters", 1, func() (int, error) {
		l, err := source.DeadLetters(soon(t), dashboard.ClusterSearch{Limit: 10})
		return len(l.Letters), err
	})
	_, overviewErr := source.Overview(soon(t))
	tasks, tasksErr := source.Tasks(soon(t), dashboard.ClusterSearch{Text: "image/1", Limit: 10})
	l, deadErr := source.DeadLetters(soon(t), dashboard.ClusterSearch{Kind: "mail", Limit: 10})
	found, cancelErr := source.Cancel(soon(t), "image/1")
	if err := errors.Join(overviewErr, tasksErr, deadErr, cancelErr); err != nil || !found || len(tasks.Tasks) != 1 || len(l.Letters) != 1 {
		t.Fatalf("%d tasks, %d dead letters, cancelled %t: %v", len(tasks.Tasks), len(l.Letters), found, err)
	}
	retry(t, source, l.Letters[0])
	next(t, began)
	eventually(t, "the dead letter of the retry is deleted", true, func() (bool, error) {
		l, err := source.DeadLetters(soon(t), dashboard.ClusterSearch{Limit: 10})
		if err != nil || len(l.Letters) == 0 {
			return false, err
		}
		return true, source.Delete(soon(t), l.Letters[0])
	})
}

// A dashboard shows a namespace over HTTP, and retries a dead letter.
func TestDashboard(t *testing.T) {
	c := client(t)
	began := work(t, c)
	submit(t, c, "mail", "mail/1")
	next(t, began)
	everybody := func(*http.Request, dashboard.Action, string) error { return nil }
	d := dashboard.New(dashboard.Cluster("shop", cluster.Source(c)), dashboard.Actions(everybody, dashboard.Retry))
	defer d.Close()
	call := func(method, place, body string, answer any) int {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost/api/v1/"+place, bytes.NewBufferString(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if answer != nil {
			if err := json.Unmarshal(w.Body.Bytes(), answer); err != nil {
				t.Fatalf("%s: %v in %s", place, err, w.Body)
			}
		}
		return w.Code
	}
	type letters struct {
		Letters []struct{ Letter, Name, Kind string }
	}
	var found letters
	eventually(t, "dead letters", 1, func() (int, error) {
		found = letters{}
		call(http.MethodGet, "dead", "", &found)
		return len(found.Letters), nil
	})
	one := found.Letters[0]
	body, err := json.Marshal(map[string]string{"manager": "shop", "action": "retry", "letter": one.Letter, "name": one.Name, "kind": one.Kind})
	if err != nil {
		t.Fatal(err)
	}
	// The name is taken for a moment after the dead letter is there.
	eventually(t, "status of the retry", http.StatusNoContent, func() (int, error) {
		return call(http.MethodPost, "actions", string(body), nil), nil
	})
	if name := next(t, began); name != "mail/1" {
		t.Errorf("task %q runs again", name)
	}
}
