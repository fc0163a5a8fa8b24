package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// behind returns a client behind a proxy, and the stream of the tasks as seen without it.
func behind(t *testing.T, opts ...nats.Option) (*nats.Client, *proxy, jetstream.Stream, *natsgo.Conn) {
	t.Helper()
	s := serve(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret"})
	p := before(t, s.URL())
	nc, err := natsgo.Connect(p.URL, connOptions(t)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := open(t, nc, opts...)
	direct := connect(t, s)
	st, err := streams(t, direct).Stream(soon(t), "tasks")
	if err != nil {
		t.Fatal(err)
	}
	return c, p, st, direct
}

func stored(t *testing.T, st jetstream.Stream) uint64 {
	t.Helper()
	info, err := st.Info(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestALostAnswer(t *testing.T) {
	c, p, st, _ := behind(t)
	for round := range 5 {
		name := fmt.Sprint("task/", round)
		var wg sync.WaitGroup
		p.Mute()
		wg.Go(func() {
			if _, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k")); err != nil {
				t.Errorf("the submit whose answer was lost: %v", err)
			}
		})
		eventually(t, "the task is stored", func() bool { return stored(t, st) == uint64(round+1) })
		p.Cut()
		wg.Wait()
		if _, err := nats.Submit(soon(t), c, name, 1, nats.WithKind("k")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
			t.Errorf("another submit of the name: %v", err)
		}
	}
	if n := stored(t, st); n != 5 {
		t.Errorf("%d tasks are stored, want 5", n)
	}
}

// The task has ended, and another one has the name, before the submit could ask again.
func TestALostAnswerOfATaskThatHasEnded(t *testing.T) {
	for _, successor := range []bool{false, true} {
		c, p, st, direct := behind(t)
		var wg sync.WaitGroup
		p.Mute()
		wg.Go(func() {
			if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); err != nil {
				t.Errorf("the submit whose answer was lost: %v", err)
			}
		})
		eventually(t, "the task is stored", func() bool { return stored(t, st) == 1 })
		if err := st.DeleteMsg(soon(t), 1); err != nil {
			t.Fatal(err)
		}
		want := uint64(0)
		if successor {
			store(t, direct, "tasks.run.normal.k2.a", nil)
			want = 1
		}
		p.Cut()
		wg.Wait()
		if n := stored(t, st); n != want {
			t.Errorf("%d tasks are stored, want %d", n, want)
		}
	}
}

func TestUnknownOutcomeThenTheSameID(t *testing.T) {
	c, p, st, _ := behind(t)
	p.Mute()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	submitted := make(chan error, 1)
	go func() {
		_, err := nats.Submit(ctx, c, "a", 1, nats.WithKind("k"), nats.WithID("mine"))
		submitted <- err
	}()
	eventually(t, "the task is stored", func() bool { return stored(t, st) == 1 })
	stop()
	if err := <-submitted; !errors.Is(err, nats.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v, want ErrUnknownOutcome and the end of the context", err)
	}
	p.Cut()
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), nats.WithID("mine")); err != nil {
		t.Errorf("the repeated submit: %v", err)
	}
	if _, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), nats.WithID("yours")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("another submit: %v", err)
	}
	if n := stored(t, st); n != 1 {
		t.Errorf("%d tasks are stored, want 1", n)
	}
}

// Without a connection nothing is sent, not even later.
func TestNoConnection(t *testing.T) {
	s, err := embed.Start(embed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: "secret", SyncInterval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := natsgo.Connect(s.URL(), connOptions(t)...)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, nc)
	if err := s.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is lost", func() bool { return !nc.IsConnected() })
	ctx, stop := context.WithTimeout(t.Context(), time.Second) // as a user would; the submit has begun by then
	defer stop()
	_, err = nats.Submit(ctx, c, "a", 1, nats.WithKind("k"))
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, natsgo.ErrDisconnected) || errors.Is(err, nats.ErrUnknownOutcome) {
		t.Errorf("the error is %v, want the end of the context and of the connection", err)
	}
	nc.Close()
	if _, err = nats.Submit(soon(t), c, "a", 1, nats.WithKind("k")); !errors.Is(err, natsgo.ErrConnectionClosed) {
		t.Errorf("a closed connection: %v", err)
	}
}

// Questions and actions whose answer is lost are repeated, without a wait for the end of their context.
func TestLostAnswersToOtherRequests(t *testing.T) {
	c, p, st, direct := behind(t)
	submit := func() error {
		_, err := nats.Submit(soon(t), c, "a", 1, nats.WithKind("k"), nats.WithResult(time.Hour))
		return err
	}
	bury(t, direct, "k", "b", "one", nil)
	bury(t, direct, "k", "c", "two", nil)
	for _, tc := range []struct {
		what string
		call func() error
	}{
		{"Submit", submit},
		{"Lookup", func() error { return second(c.Lookup(soon(t), "a")) }},
		{"TaskStatus", func() error { return second(c.TaskStatus(soon(t))) }},
		{"Kinds", func() error { return second(c.Kinds(soon(t))) }},
		{"Processes", func() error { return second(c.Processes(soon(t))) }},
		{"DeadLetters", func() error {
			for _, err := range c.DeadLetters(soon(t), "") {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"Delete", func() error { return c.Delete(soon(t), nats.DeadLetter{Seq: 1}) }},
		{"Retry", func() error { return second(c.Retry(soon(t), nats.DeadLetter{Seq: 2})) }},
		{"Cancel", func() error { return second(c.Cancel(soon(t), "a")) }},
	} {
		got := make(chan error)
		before := p.Kept()
		p.Mute()
		go func() { got <- tc.call() }()
		eventually(t, tc.what+" has an answer", func() bool { return p.Kept() > before })
		p.Cut()
		if err := <-got; err != nil {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
	if n := stored(t, st); n != 1 { // that of Retry
		t.Errorf("%d tasks are stored, want 1", n)
	}
}

func TestOpenAsksAgain(t *testing.T) {
	t.Parallel()
	s := serve(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret"})
	p := before(t, s.URL())
	nc, err := natsgo.Connect(p.URL, connOptions(t)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	p.Mute()
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := nats.Open(soon(t), nc) // without the second attempt, it would wait for the end of its context
		if err != nil {
			t.Errorf("Open whose first answer was lost: %v", err)
			return
		}
		c.Close()
	})
	eventually(t, "Open has an answer", func() bool { return p.Kept() > 0 })
	p.Cut()
	wg.Wait()
}
