//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/job"
	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// A task that kills its process is a dead letter after as many crashes as allowed. The tasks that every process had at
// the same time, which come to the next one together with it, are not: they end.
func TestPoison(t *testing.T) {
	const others = 12
	c := launch(t, settings{crashes: 3})
	c.submit("poison", job.Plain, job.Job{Kills: 1000})
	for i := range others {
		c.submit(fmt.Sprint("healthy/", i), job.Plain, job.Job{Work: 100 * time.Millisecond})
	}
	begun := time.Now()
	worker := c.worker("w1", "-workers", fmt.Sprint(1+others))
	deaths := 0
	c.until("all tasks to end", func(ctx context.Context) error {
		if worker.hasEnded() {
			deaths++
			worker = c.worker("w1", "-workers", fmt.Sprint(1+others))
		}
		if err := c.isEmpty(ctx); err != nil {
			return fmt.Errorf("%d workers have died: %w", deaths, err)
		}
		return nil
	})
	c.balance(patience)
	if runs := c.runs("poison"); len(runs) != c.crashes || deaths != c.crashes {
		t.Errorf("%d executions killed %d workers, want %d:\n%s", len(runs), deaths, c.crashes, c.story("poison"))
	}
	dead := c.deadLetters()
	if len(dead) != 1 || dead[0].Name != "poison" || dead[0].ID != "poison.1" || dead[0].Kind != job.Plain {
		t.Fatalf("the dead letters: %+v", dead)
	}
	t.Logf("%d workers died, and all ended in %v; the reason: %s; %d attempts", deaths, time.Since(begun), dead[0].Reason, dead[0].Attempts)
}

// raw stores a message as another program would.
func (c *cluster) raw(version, name, payload string) {
	c.t.Helper()
	m := natsgo.NewMsg("tasks.run.normal.job." + name)
	m.Header.Set("Task-Version", version)
	m.Header.Set("Task-Id", name+".1")
	m.Header.Set(natsgo.MsgIdHdr, name+".1")
	m.Data = []byte(payload)
	c.account.Write(ledger.Line{Event: ledger.Try, Name: name, ID: name + ".1"})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.js.PublishMsg(ctx, m); err != nil {
		c.t.Fatal(err)
	}
	c.account.Write(ledger.Line{Event: ledger.Accepted, Name: name, ID: name + ".1"})
}

// A payload that does not decode is tried again for a while, in case that newer workers understand it, and is a dead
// letter then. A message of a newer version stays stored.
func TestWhatOtherVersionsStored(t *testing.T) {
	c := launch(t, settings{})
	c.raw("1", "bad", `{"work":"soon"`)
	c.raw("2", "newer", `{}`)
	begun := time.Now()
	c.worker("w1")
	c.submit("good", job.Plain, job.Job{})
	c.await(1, ledger.End, "good")
	c.until("a dead letter", func(context.Context) error {
		if len(c.deadLetters()) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	took := time.Since(begun)
	between(t, "the dead letter", took, 8*time.Second, 40*time.Second)
	dead := c.deadLetters()
	if len(dead) != 1 || dead[0].Name != "bad" {
		t.Errorf("dead letters: %+v", dead)
	}
	if runs := append(c.runs("bad"), c.runs("newer")...); len(runs) != 0 {
		t.Errorf("the handler got what nobody can decode: %v", runs)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(ctx, "tasks.run.normal.job.newer")
	if err != nil {
		t.Fatalf("the message of a newer version is gone: %v", err)
	}
	if diff := cmp.Diff("2", m.Header.Get("Task-Version")); diff != "" {
		t.Errorf("its version (-want +got):\n%s", diff)
	}
	if err := s.DeleteMsg(ctx, m.Sequence); err != nil {
		t.Fatal(err)
	}
	t.Logf("dead after %v: %s", took, dead[0].Reason)
}

// Open refuses the streams of a newer version and leaves them as they are.
func TestNewerLayout(t *testing.T) {
	c := launch(t, settings{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	info, err := c.stored(ctx)
	if err != nil {
		t.Fatal(err)
	}
	newer := info.Config
	newer.Metadata["taskmanager.layout"] = "2"
	if _, err := c.js.UpdateStream(ctx, newer); err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Open(ctx, c.conn, append(c.options(), nats.WithMaxTasks(7))...); !errors.Is(err, nats.ErrLayout) {
		t.Errorf("Open: %v, want %v", err, nats.ErrLayout)
	} else {
		t.Log(err)
	}
	p := c.spawn("worker", "w1", c.flags(c.url())...)
	p.wait()
	if code := p.command.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the worker ends with %d, want 1", code)
	}
	info, err = c.stored(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if info.Config.MaxMsgs > 0 || info.Config.Metadata["taskmanager.layout"] != "2" {
		t.Errorf("Open has changed the stream: %+v", info.Config)
	}
}
