package servertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// backup is a stream and its consumers, as the program nats saves them.
type backup struct {
	server.JSApiStreamRestoreRequest
	chunks [][]byte
}

// backUp reads a stream. It reports whether the backup is complete.
func backUp(t *testing.T, nc *natsgo.Conn, name string) (b backup, complete bool) {
	t.Helper()
	inbox := natsgo.NewInbox()
	messages := listenTo(t, nc, inbox)
	var r server.JSApiStreamSnapshotResponse
	ask(t, nc, "$JS.API.STREAM.SNAPSHOT."+name, server.JSApiStreamSnapshotRequest{DeliverSubject: inbox}, &r)
	b = backup{JSApiStreamRestoreRequest: server.JSApiStreamRestoreRequest{Config: *r.Config, State: *r.State}}
	m := next(t, "a part of a backup", messages)
	for ; len(m.Data) > 0; m = next(t, "a part of a backup", messages) {
		b.chunks = append(b.chunks, m.Data)
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	status := m.Header.Get("Status")
	return b, status == "" || status == "204"
}

// restore makes the stream of a backup.
func (b backup) restore(t *testing.T, nc *natsgo.Conn) {
	t.Helper()
	var r server.JSApiStreamRestoreResponse
	ask(t, nc, "$JS.API.STREAM.RESTORE."+b.Config.Name, b.JSApiStreamRestoreRequest, &r)
	for _, chunk := range b.chunks {
		// Another server of a cluster may have the subject, of which this one does not know at first.
		eventually(t, "a server that restores "+b.Config.Name, func() bool {
			_, err := nc.RequestWithContext(soon(t), r.DeliverSubject, chunk)
			if err != nil && !errors.Is(err, natsgo.ErrNoResponders) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	var end server.JSApiStreamCreateResponse
	ask(t, nc, r.DeliverSubject, nil, &end)
}

// ask sends a request to JetStream and reads the answer.
func ask(t *testing.T, nc *natsgo.Conn, subject string, in, out any) {
	t.Helper()
	var data []byte
	if in != nil {
		var err error
		if data, err = json.Marshal(in); err != nil {
			t.Fatal(err)
		}
	}
	m, err := nc.RequestWithContext(soon(t), subject, data)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var r server.ApiResponse
	if err := errors.Join(json.Unmarshal(m.Data, &r), json.Unmarshal(m.Data, out), r.ToError()); err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
}

// moved starts a worker of the tasks of move. The task "failed" fails there again and again, or succeeds.
func moved(t *testing.T, c *nats.Client, done *ledger, fails bool) *testWorker {
	t.Helper()
	w := newWorker(t, c, 2)
	handle(t, w, "work", func(_ context.Context, in string) error {
		if in == "failed" && fails {
			return errFailed
		}
		done.add(in)
		return nil
	}, nats.WithRestart(restart.MaxAttempts(1_000_000, restart.Constant(50*time.Millisecond))))
	handle(t, w, "fatal", func(context.Context, string) error { return errFailed })
	return w.run(t)
}

// A backup of a single server, restored in a cluster, has all tasks, what is known of them, and the dead letters. The
// cluster then stores them three times. The way back needs one replica of each stream before.
func TestMoveToACluster(t *testing.T) {
	t.Parallel()
	single := connect(t, serve(t, embed.Options{}))
	move(t, single, connect(t, serveCluster(t)[1]), 3)
}

func TestMoveFromACluster(t *testing.T) {
	t.Parallel()
	cluster := connect(t, serveCluster(t)[1])
	open(t, cluster, nats.WithReplicas(3))
	move(t, cluster, connect(t, serve(t, embed.Options{})), 1)
}

// move makes tasks of all sorts, moves them to a server that is empty, and runs them there.
func move(t *testing.T, from, to *natsgo.Conn, replicas int) {
	t.Helper()
	c := open(t, from, nats.WithReplicas(1), nats.WithLogger(testLog{t}))
	var done ledger
	w := moved(t, c, &done, true)
	submit(t, c, "done")
	submit(t, c, "dead", nats.WithKind("fatal"))
	submit(t, c, "failed")
	eventually(t, "the end of two tasks, and an attempt of the third", func() bool {
		tasks, err := c.TaskStatus(soon(t))
		return err == nil && len(tasks) == 1 && tasks["failed"].Restarts > 0
	})
	_, _ = w.drain(t)
	submit(t, c, "ready")
	submit(t, c, "delayed", nats.WithDelay(2*time.Second))
	for _, name := range streamNames(t, streams(t, from)) {
		var b backup
		// It fails while the replicas of a consumer change.
		eventually(t, "a backup of "+name, func() (complete bool) {
			b, complete = backUp(t, from, name)
			return complete
		})
		b.restore(t, to)
	}

	old := c
	c = open(t, to, nats.WithReplicas(replicas), nats.WithLogger(testLog{t}))
	var diff string
	defer func() {
		if diff != "" {
			t.Errorf("tasks and dead letters (-before +after):\n%s", diff)
		}
	}()
	eventually(t, "the same tasks and dead letters", func() bool { // a replica may lag behind
		diff = cmp.Diff(known(t, old), known(t, c))
		return diff == ""
	})
	if _, err := nats.Submit(soon(t), c, "ready", "", nats.WithKind("work")); !errors.Is(err, taskmanager.ErrAlreadyExists) {
		t.Errorf("a second submit returned %v, want ErrAlreadyExists", err)
	}
	js := streams(t, to)
	for _, name := range streamNames(t, js) {
		if got := config(t, js, name).Replicas; got != replicas {
			t.Errorf("stream %s has %d replicas, want %d", name, got, replicas)
		}
	}
	moved(t, c, &done, false)
	done.waitFor(t, 4)
	eventually(t, "the end of all tasks", func() bool { return remaining(t, js, "tasks") == 0 })
	if diff := cmp.Diff([]string{"delayed", "done", "failed", "ready"}, sorted(done.all())); diff != "" {
		t.Errorf("executed (-want +got):\n%s", diff)
	}
}

// known is what a client knows of the tasks and of the dead letters.
func known(t *testing.T, c *nats.Client) (all []string) {
	t.Helper()
	eventually(t, "leaders of the streams", func() bool {
		all = nil
		tasks, err := c.TaskStatus(soon(t))
		for name, s := range tasks {
			all = append(all, fmt.Sprint(name, " ", s.ID, " ", s.Kind, ", restarts: ", s.Restarts))
		}
		for d, e := range c.DeadLetters(soon(t), "") {
			all = append(all, "dead: "+d.Name+" "+d.ID+" "+d.Reason)
			err = errors.Join(err, e)
		}
		return err == nil
	})
	return sorted(all)
}

// A server of its own finds the tasks of an embedded one in its directory, and the reverse.
func TestDirectoryOfAnotherServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, embed.Options{Dir: dir})
	c := open(t, connect(t, s))
	submit(t, c, "first")
	want := known(t, c)
	stop := func(s *embed.Server) {
		if err := s.Stop(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop(s)

	own, nc := bare(t, server.Options{JetStream: true, StoreDir: dir, SyncAlways: true})
	c = open(t, nc)
	if diff := cmp.Diff(want, known(t, c)); diff != "" {
		t.Errorf("in a server of its own (-want +got):\n%s", diff)
	}
	submit(t, c, "second")
	want = known(t, c)
	own.Shutdown()
	own.WaitForShutdown()

	if diff := cmp.Diff(want, known(t, open(t, connect(t, serve(t, embed.Options{Dir: dir}))))); diff != "" {
		t.Errorf("in an embedded server again (-want +got):\n%s", diff)
	}
}

// Workers end what an old server has while submitters use a new one.
func TestMoveWithoutAPause(t *testing.T) {
	t.Parallel()
	c, later := client(t), client(t)
	var done ledger
	w := moved(t, c, &done, true)
	submit(t, c, "ready")
	submit(t, c, "delayed", nats.WithDelay(2*time.Second))
	submit(t, later, "ready")
	eventually(t, "the end of the old tasks", func() bool {
		tasks, err := c.TaskStatus(soon(t))
		return err == nil && len(tasks) == 0
	})
	if _, err := w.drain(t); err != nil {
		t.Error(err)
	}
	moved(t, later, &done, false)
	if diff := cmp.Diff([]string{"ready", "delayed", "ready"}, done.waitFor(t, 3)); diff != "" {
		t.Errorf("executed (-want +got):\n%s", diff)
	}
}
