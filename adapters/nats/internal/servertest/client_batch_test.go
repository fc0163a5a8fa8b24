package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func items(prefix string, n int, opts ...nats.SubmitOption) []nats.Item[int] {
	out := make([]nats.Item[int], n)
	for i := range out {
		out[i] = nats.Item[int]{Name: fmt.Sprint(prefix, i), In: i, Options: opts}
	}
	return out
}

func TestSubmitAllStoresAll(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	want := uint64(0)
	for _, n := range []int{0, 1, 2, 1000} {
		tasks, err := nats.SubmitAll(soon(t), c, items(fmt.Sprint(n, "/"), n), nats.WithKind("k"))
		if err != nil {
			t.Fatalf("%d items: %v", n, err)
		}
		if len(tasks) != n {
			t.Errorf("%d tasks of %d items", len(tasks), n)
		}
		for i, task := range tasks {
			if task.Name() != fmt.Sprint(n, "/", i) || task.Kind() != "k" || task.ID() == "" {
				t.Fatalf("task %d is %q of kind %q", i, task.Name(), task.Kind())
			}
		}
		if want += uint64(n); stored(t, st) != want {
			t.Fatalf("%d tasks are stored, want %d", stored(t, st), want)
		}
	}
	if _, err := nats.SubmitAll(soon(t), c, items("x", 1001), nats.WithKind("k")); !errors.Is(err, nats.ErrTooLarge) {
		t.Errorf("1,001 items: %v", err)
	}
	if stored(t, st) != want {
		t.Error("something was stored of a batch that is too large")
	}
}

// None of a batch is stored if one of it is refused, whatever the reason.
func TestSubmitAllStoresNone(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc, nats.WithMaxTasks(100))
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Submit(soon(t), c, "b5", 1, nats.WithKind("other")); err != nil {
		t.Fatal(err)
	}
	k := nats.WithKind("k")
	twice := append(items("c", 5, k), nats.Item[int]{Name: "c2", Options: []nats.SubmitOption{nats.WithKind("k2")}})
	for name, tc := range map[string]struct {
		items []nats.Item[int]
		err   error
		task  string
	}{
		"name taken":      {items("b", 20, k), taskmanager.ErrAlreadyExists, "b5"},
		"last name taken": {append(items("d", 3, k), nats.Item[int]{Name: "b5", Options: []nats.SubmitOption{k}}), taskmanager.ErrAlreadyExists, "b5"},
		"name twice":      {twice, taskmanager.ErrAlreadyExists, "c2"},
		"too many":        {items("e", 101, k), taskmanager.ErrQueueFull, ""},
		"no kind":         {append(items("f", 3, k), nats.Item[int]{Name: "f3"}), nats.ErrNoKind, ""},
		"no name":         {append(items("f", 3, k), nats.Item[int]{Options: []nats.SubmitOption{k}}), taskmanager.ErrEmptyName, ""},
		"id twice":        {items("g", 2, k, nats.WithID("same")), nil, ""},
	} {
		_, err := nats.SubmitAll(soon(t), c, tc.items)
		if err == nil || tc.err != nil && !errors.Is(err, tc.err) {
			t.Errorf("%s: the error is %v, want %v", name, err, tc.err)
			continue
		}
		if te, ok := errors.AsType[*taskmanager.TaskError](err); tc.task != "" && (!ok || te.Name != tc.task) {
			t.Errorf("%s: the error %v does not name %q", name, err, tc.task)
		}
		if !strings.HasPrefix(err.Error(), "nats: ") {
			t.Errorf("%s: the error %q does not name the package", name, err)
		}
	}
	if n := stored(t, st); n != 1 {
		t.Errorf("%d tasks are stored, want 1", n)
	}
	if _, err := nats.SubmitAll(soon(t), c, []nats.Item[string]{{Name: "h"}, {Name: "large", In: strings.Repeat("x", 1<<20)}}, k); !errors.Is(err, nats.ErrTooLarge) {
		t.Errorf("a large payload: %v", err)
	}
}

// Batches and single submits that have names in common never both succeed.
func TestBatchesRace(t *testing.T) {
	s := serve(t, embed.Options{})
	clients := []*nats.Client{open(t, connect(t, s)), open(t, connect(t, s))}
	for round := range 10 {
		accepted := make([]bool, 16)
		var wg sync.WaitGroup
		for i := range accepted {
			wg.Go(func() {
				batch := append(items(fmt.Sprint(round, "/", i, "/"), 10), nats.Item[int]{Name: fmt.Sprint(round, "/shared")})
				_, err := nats.SubmitAll(soon(t), clients[i%2], batch, nats.WithKind(fmt.Sprint("k", i%3)))
				if accepted[i] = err == nil; err != nil && !errors.Is(err, taskmanager.ErrAlreadyExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, ok := range accepted {
			if ok {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("round %d: %d batches with the same name were accepted", round, n)
		}
	}
	st, err := streams(t, connect(t, s)).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if n := stored(t, st); n != 110 {
		t.Errorf("%d tasks are stored, want 110", n)
	}
}

func TestALostAnswerToABatch(t *testing.T) {
	c, p, st, _ := behind(t)
	k := nats.WithKind("k")
	for round := range 3 {
		want := stored(t, st) + 50
		var wg sync.WaitGroup
		// The answer to the first message comes, so that the batch is sent; that to the batch is lost.
		wg.Go(func() {
			if _, err := nats.SubmitAll(soon(t), c, items(fmt.Sprint(round, "/"), 50), k); err != nil {
				t.Errorf("the batch whose answer was lost: %v", err)
			}
		})
		eventually(t, "the batch is stored", func() bool { return stored(t, st) == want })
		p.Cut()
		wg.Wait()
		if n := stored(t, st); n != want {
			t.Errorf("%d tasks are stored, want %d", n, want)
		}
	}
}

func TestABatchWithAnIDIsRepeated(t *testing.T) {
	nc := connect(t, serve(t, embed.Options{}))
	c := open(t, nc)
	st, err := streams(t, nc).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	submit := func(id string) error {
		_, err := nats.SubmitAll(soon(t), c, items("a", 10), nats.WithKind("k"), nats.WithID(id))
		return err
	}
	for i := range 2 {
		if err := submit("batch"); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if err := submit("other"); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("another id: %v", err)
	}
	if n := stored(t, st); n != 10 {
		t.Errorf("%d tasks are stored", n)
	}
	if err := st.DeleteMsg(soon(t), 3); err != nil { // as if a task had ended
		t.Fatal(err)
	}
	if err := submit("batch"); err != nil {
		t.Errorf("after the end of a task: %v", err)
	}
	if n := stored(t, st); n != 9 {
		t.Errorf("%d tasks are stored, want 9", n)
	}
	// Items with ids of their own.
	own := []nats.Item[int]{
		{Name: "b", Options: []nats.SubmitOption{nats.WithID("b")}}, {Name: "c", Options: []nats.SubmitOption{nats.WithID("c")}},
	}
	for i := range 2 {
		if _, err := nats.SubmitAll(soon(t), c, own, nats.WithKind("k")); err != nil {
			t.Errorf("items with ids, call %d: %v", i, err)
		}
	}
	own[1].Name, own[1].Options = "d", nil
	if _, err := nats.SubmitAll(soon(t), c, own, nats.WithKind("k")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("one known and one new item: %v", err)
	}
	if _, err := nats.SubmitAll(soon(t), c, own[:1], nats.WithKind("k"), nats.WithID("x")); err == nil {
		t.Error("an id of the batch and of an item: no error")
	}
}

func TestABatchWithAnUnknownOutcome(t *testing.T) {
	c, p, st, _ := behind(t)
	p.Mute()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	submitted := make(chan error, 1)
	go func() {
		_, err := nats.SubmitAll(ctx, c, items("a", 10), nats.WithKind("k"), nats.WithID("mine"))
		submitted <- err
	}()
	eventually(t, "the server answers", func() bool { return p.Kept() > 0 })
	stop()
	if err := <-submitted; !errors.Is(err, nats.ErrUnknownOutcome) {
		t.Fatalf("the error is %v, want ErrUnknownOutcome", err)
	}
	p.Cut()
	if _, err := nats.SubmitAll(soon(t), c, items("a", 10), nats.WithKind("k"), nats.WithID("mine")); err != nil {
		t.Errorf("the repeated batch: %v", err)
	}
	if n := stored(t, st); n != 10 {
		t.Errorf("%d tasks are stored, want 10", n)
	}
}
