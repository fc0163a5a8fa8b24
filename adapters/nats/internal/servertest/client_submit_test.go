package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// thumbnail is a payload with a kind of its own.
type thumbnail struct{ Size int }

func (thumbnail) Kind() string { return "thumbnail" }

// pointed has its kind on the pointer.
type pointed struct{}

func (*pointed) Kind() string { return "pointed" }

// unruly panics wherever it can.
type unruly struct{ inKind bool }

func (u unruly) Kind() string {
	if u.inKind {
		panic("in Kind")
	}
	return "unruly"
}
func (unruly) MarshalJSON() ([]byte, error) { panic("in MarshalJSON") }

func TestSubmitStoresTheTask(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	task, err := nats.Submit(soon(t), c, "a.b/ü", thumbnail{3}, nats.WithPriority(nats.High), nats.WithID("id-1"),
		nats.WithTimeout(time.Second), nats.WithKey("k y"), nats.WithCost(4), nats.WithResult(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if task.Name() != "a.b/ü" || task.Kind() != "thumbnail" || task.ID() != "id-1" {
		t.Errorf("the task is %q of kind %q with id %q", task.Name(), task.Kind(), task.ID())
	}
	s, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetMsg(soon(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "tasks.run.high.thumbnail.a=2Eb/=C3=BC" || string(m.Data) != `{"Size":3}` {
		t.Errorf("stored as %s: %s", m.Subject, m.Data)
	}
	want := natsgo.Header{
		"Task-Version": {"1"}, "Task-Id": {"id-1"}, "Task-Timeout": {"1000000000"}, "Task-Key": {"k=20y"},
		"Task-Cost": {"4"}, "Task-Result": {"60000000000"}, "Nats-Msg-Id": {"id-1"},
		"Nats-Expected-Last-Subject-Sequence":         {"0"},
		"Nats-Expected-Last-Subject-Sequence-Subject": {"tasks.run.*.*.a=2Eb/=C3=BC"},
	}
	for _, k := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} { // of the answer
		m.Header.Del(k)
	}
	if diff := cmp.Diff(want, m.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestSubmitRefusesBadInput(t *testing.T) {
	c := client(t)
	long := strings.Repeat("x", 513)
	for name, tc := range map[string]struct {
		err  error
		call func() (*nats.Task, error)
	}{
		"name":       {taskmanager.ErrEmptyName, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "", thumbnail{}) }},
		"long name":  {nats.ErrTooLarge, func() (*nats.Task, error) { return nats.Submit(soon(t), c, long, thumbnail{}) }},
		"dots":       {nats.ErrTooLarge, func() (*nats.Task, error) { return nats.Submit(soon(t), c, strings.Repeat(".", 171), thumbnail{}) }},
		"kind":       {nats.ErrNoKind, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", 1) }},
		"empty kind": {nats.ErrNoKind, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", 1, nats.WithKind("")) }},
		"long kind":  {nats.ErrTooLarge, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", 1, nats.WithKind(long[:65])) }},
		"payload": {nats.ErrTooLarge, func() (*nats.Task, error) {
			return nats.Submit(soon(t), c, "a", make([]byte, 1<<20), nats.WithKind("k"))
		}},
		"nil client": {nil, func() (*nats.Task, error) { return nats.Submit(soon(t), nil, "a", 1, nats.WithKind("k")) }},
		"channel":    {nil, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", make(chan int), nats.WithKind("k")) }},
		"panic":      {nil, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", unruly{}) }},
		"kind panic": {nil, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", unruly{true}) }},
		"nil option": {nil, func() (*nats.Task, error) { return nats.Submit(soon(t), c, "a", 1, nil) }},
	} {
		task, err := tc.call()
		if err == nil || task != nil || tc.err != nil && !errors.Is(err, tc.err) {
			t.Errorf("%s: the error is %v, want %v", name, err, tc.err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "nats: ") && !strings.HasPrefix(err.Error(), "taskmanager: ") {
			t.Errorf("%s: the error %q does not name the package", name, err)
		}
	}
	for name, o := range map[string]nats.SubmitOption{
		"id": nats.WithID("a b"), "empty id": nats.WithID(""), "delay": nats.WithDelay(-1), "timeout": nats.WithTimeout(0),
		"queue timeout": nats.WithQueueTimeout(-1), "key": nats.WithKey(long), "cost": nats.WithCost(-1),
		"description": nats.WithDescription(strings.Repeat("=", 2000)), "level": nats.WithPriority(2), "result": nats.WithResult(time.Millisecond),
	} {
		if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), o); err == nil {
			t.Errorf("option %s: no error", name)
		}
	}
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), nats.WithDelay(1), nats.WithNotBefore(time.Now())); err == nil {
		t.Error("two begins: no error")
	}
	if _, err := nats.Submit(soon(t), c, "a", pointed{}); err != nil {
		t.Errorf("Kind on the pointer: %v", err)
	}
}

// The largest payload that a submit accepts still fits into a dead letter with its reason.
func TestTheLargestPayload(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	fits, fails := 0, 1<<20
	for fails-fits > 1 {
		n := (fits + fails) / 2
		_, err := nats.Submit(soon(t), c, fmt.Sprint(n), strings.Repeat("x", n), nats.WithKind("k"))
		switch {
		case err == nil:
			fits = n
		case errors.Is(err, nats.ErrTooLarge):
			fails = n
		default:
			t.Fatal(err)
		}
	}
	if spare := int(nc.MaxPayload()) - fits; spare < 8<<10 || spare > 10<<10 {
		t.Errorf("the largest payload has %d bytes of %d", fits, nc.MaxPayload())
	}
}

func TestANameIsTakenOverAllKindsAndLevels(t *testing.T) {
	c := client(t)
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k1")); err != nil {
		t.Fatal(err)
	}
	for _, o := range [][]nats.SubmitOption{
		{nats.WithKind("k1")}, {nats.WithKind("k2")}, {nats.WithKind("k1"), nats.WithPriority(nats.High)}, {nats.WithKind("k2"), nats.WithID("mine")},
	} {
		_, err := nats.Submit(soon(t), c, "a", 1, o...)
		te, ok := errors.AsType[*taskmanager.TaskError](err)
		if !errors.Is(err, taskmanager.ErrAlreadyExists) || !ok || te.Name != "a" {
			t.Errorf("the error is %v, want ErrAlreadyExists for a", err)
		}
	}
}

func TestManySubmittersOfANameOverTwoKinds(t *testing.T) {
	s := serve(t, embed.Options{})
	clients := make([]*nats.Client, 4)
	for i := range clients {
		clients[i] = open(t, connect(t, s))
	}
	for round := range 20 {
		var accepted atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-start
				_, err := nats.Submit(soon(t), clients[i%4], fmt.Sprint("name/", round), i, nats.WithKind(fmt.Sprint("k", i%2)))
				switch {
				case err == nil:
					accepted.Add(1)
				case !errors.Is(err, taskmanager.ErrAlreadyExists):
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Fatalf("round %d: %d submits were accepted", round, n)
		}
	}
}

func TestARepeatedIDIsTheSameTask(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	submit := func(name, id string) error {
		_, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k"), nats.WithID(id))
		return err
	}
	for range 3 {
		if err := submit("a", "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := submit("a", "two"); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("another id: the error is %v", err)
	}
	s, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(soon(t), 1); err != nil { // as if the task had ended
		t.Fatal(err)
	}
	if err := submit("a", "one"); err != nil {
		t.Errorf("after the end of the task: %v", err)
	}
	if info, err := s.Info(soon(t)); err != nil || info.State.Msgs != 0 {
		t.Errorf("a repeated submit made a second task: %+v, %v", info.State, err)
	}
	if err := submit("a", "two"); err != nil {
		t.Errorf("another id after the end of the task: %v", err)
	}
	if err := submit("a", "one"); err != nil { // known, although the name is taken
		t.Errorf("the first id while another task has the name: %v", err)
	}
}

func TestLimitsOfTheNamespace(t *testing.T) {
	c := client(t, nats.WithMaxTasks(2))
	for i, want := range []error{nil, nil, taskmanager.ErrQueueFull, taskmanager.ErrQueueFull} {
		_, err := nats.Submit(soon(t), c, fmt.Sprint(i), 1, nats.WithKind("k"))
		if !errors.Is(err, want) {
			t.Errorf("submit %d: the error is %v, want %v", i, err, want)
		}
	}
	if _, err := nats.Submit(soon(t), c, "0", 1, nats.WithKind("k")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("a name that is taken in a full namespace: %v", err)
	}
	c = client(t, nats.WithMaxBytes(10_000))
	if _, err := nats.Submit(soon(t), c, "a", make([]byte, 9_000), nats.WithKind("k")); !errors.Is(err, taskmanager.ErrQueueFull) {
		t.Errorf("WithMaxBytes: the error is %v", err)
	}
}

func TestAFullStore(t *testing.T) {
	c := open(t, connect(t, serve(t, embed.Options{MaxStore: 64 << 10})))
	for i := range 100 {
		_, err := nats.Submit(soon(t), c, fmt.Sprint(i), make([]byte, 4<<10), nats.WithKind("k"))
		if errors.Is(err, taskmanager.ErrQueueFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the store never became full")
}

func TestADeletedStream(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	js := streams(t, nc)
	if err := js.DeleteStream(soon(t), "tasks"); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); !errors.Is(err, nats.ErrNotFound) {
		t.Errorf("the error is %v, want ErrNotFound", err)
	}
	for _, name := range streamNames(t, js) {
		if name == "tasks" {
			t.Error("the submit made the stream again")
		}
	}
	c = open(t, nc)
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); err != nil {
		t.Errorf("after a new Open: %v", err)
	}
}

func TestAContextThatHasEnded(t *testing.T) {
	c := client(t)
	ctx, stop := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	stop(reason)
	_, err := nats.Submit(ctx, c, "a", 1, nats.WithKind("k"))
	if !errors.Is(err, reason) || errors.Is(err, nats.ErrUnknownOutcome) {
		t.Errorf("the error is %v, want the cause only", err)
	}
	if _, err := nats.Submit(nil, c, "a", 1, nats.WithKind("k")); !errors.Is(err, taskmanager.ErrNilContext) { //nolint:staticcheck // on purpose
		t.Errorf("nil context: %v", err)
	}
}
