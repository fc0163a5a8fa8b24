package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// roleWorker runs all that a worker can do as the user of the role: restarts, results, limits, dead letters,
// and tasks that wait until they are cancelled.
func roleWorker(t *testing.T, s *embed.Server) *testWorker {
	t.Helper()
	w := newWorker(t, open(t, as(t, s, worker), nats.WithLogger(testLog{t})), 8, nats.WithAuditEvery(100*time.Millisecond))
	twice := restart.MaxAttempts(2, restart.Constant(time.Millisecond))
	handle(t, w, "work", func(ctx context.Context, _ string) error {
		nats.SetProgress(ctx, 0.5, "half")
		if h, _ := taskmanager.FromContext(ctx); h.Status().Attempt == 1 {
			return errFailed
		}
		return nil
	}, nats.WithRestart(twice))
	handle(t, w, "fail", func(context.Context, string) error { return errFailed })
	handle(t, w, "block", func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	quick := func(context.Context, string) error { return nil }
	handle(t, w, "keyed", quick, nats.WithKeyLimit(1))
	handle(t, w, "few", quick, nats.WithKindLimit(1))
	if err := nats.HandleResult(w.Worker, "double", func(_ context.Context, in int) (int, error) { return 2 * in, nil }); err != nil {
		t.Fatal(err)
	}
	return w.run(t)
}

// Each role may do what it is for: the server refuses nothing, or as would fail the test.
func TestPermissionsSuffice(t *testing.T) {
	s := serveRoles(t)
	boss := open(t, as(t, s, operator))
	user := open(t, as(t, s, submitter))
	roleWorker(t, s)

	submitEverything(t, user)
	cancelEverywhere(t, user)
	for _, name := range []string{"a", "nobody"} {
		if _, err := user.Lookup(soon(t), name); err != nil && !errors.Is(err, nats.ErrNotFound) {
			t.Errorf("Lookup(%q): %v", name, err)
		}
	}
	if processes, err := user.Processes(soon(t)); err != nil || len(processes) != 1 {
		t.Errorf("Processes: %v, %v, want one", processes, err)
	}
	if _, err := user.TaskStatus(soon(t)); err != nil {
		t.Errorf("TaskStatus: %v", err)
	}

	submit(t, user, "buried", nats.WithKind("fail"))
	dead := func() (all []nats.DeadLetter) {
		for d, err := range boss.DeadLetters(soon(t), "fail") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d)
		}
		return all
	}
	eventually(t, "a dead letter", func() bool { return len(dead()) == 1 })
	if _, err := boss.Retry(soon(t), dead()[0]); err != nil {
		t.Errorf("Retry: %v", err)
	}
	eventually(t, "another dead letter", func() bool { return len(dead()) == 1 })
	if err := boss.Delete(soon(t), dead()[0]); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if got := dead(); len(got) != 0 {
		t.Errorf("dead letters that are left: %v", got)
	}
	empty(t, streams(t, as(t, s, operator)), "tasks")
}

// submitEverything submits a task of each sort and waits for its end.
func submitEverything(t *testing.T, user *nats.Client) {
	t.Helper()
	kept := nats.WithResult(time.Minute)
	for kind, options := range map[string][]nats.SubmitOption{
		"work": nil, "keyed": {nats.WithKey("k")}, "few": {nats.WithPriority(nats.High)},
	} {
		task := submit(t, user, kind+"/1", append(options, nats.WithKind(kind), kept, nats.WithID(kind))...)
		if err := task.Wait(soon(t)); err != nil {
			t.Errorf("a task of kind %s: %v", kind, err)
		}
	}
	double, err := nats.Async[int](soon(t), user, "double/1", 21, nats.WithKind("double"), kept)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := double.Result(soon(t)); got != 42 || err != nil {
		t.Errorf("the double of 21 is %d, %v", got, err)
	}
	all, err := nats.SubmitAll(soon(t), user, []nats.Item[string]{{Name: "all/1"}, {Name: "all/2"}}, nats.WithKind("work"), kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range all {
		if err := task.Wait(soon(t)); err != nil {
			t.Errorf("task %s: %v", task.Name(), err)
		}
	}
	schedule, err := nats.Repeat(soon(t), user, aligned(20*time.Millisecond), "tick", "", nats.WithKind("few"))
	if err != nil {
		t.Fatal(err)
	}
	first := schedule.Next()
	eventually(t, "a run of the schedule", func() bool { return schedule.Next().After(first) })
	schedule.Stop()
	<-schedule.Done()
	if _, err := user.Kinds(soon(t)); err != nil {
		t.Errorf("Kinds: %v", err)
	}
}

// cancelEverywhere cancels a task that runs, one that waits, and one that nobody handles.
func cancelEverywhere(t *testing.T, user *nats.Client) {
	t.Helper()
	for name, options := range map[string][]nats.SubmitOption{
		"running": {nats.WithKind("block")}, "delayed": {nats.WithKind("block"), nats.WithDelay(time.Hour)}, "stranger": {nats.WithKind("unknown")},
	} {
		task := submit(t, user, name, append(options, nats.WithResult(time.Minute))...)
		if name == "running" {
			eventually(t, "it to run", func() bool {
				status, err := task.Status(soon(t))
				return err == nil && status.Status == taskmanager.Running
			})
		}
		if found, err := task.Cancel(soon(t)); err != nil || !found {
			t.Errorf("cancel of task %s: %v, %v", name, found, err)
		}
		if err := task.Wait(soon(t)); !errors.Is(err, taskmanager.ErrCancelled) {
			t.Errorf("task %s ended with %v, want ErrCancelled", name, err)
		}
	}
}

// What is not for a role, the server refuses.
func TestPermissionsRefuse(t *testing.T) {
	s := serveRoles(t)
	open(t, as(t, s, operator))
	forAll := []string{
		"$JS.API.STREAM.CREATE.other", "$JS.API.STREAM.DELETE.other", "$JS.API.CONSUMER.CREATE.other.c", "$JS.API.CONSUMER.MSG.NEXT.other.c",
		"$JS.API.DIRECT.GET.other", "other.run.normal.k.n", "other.ctl.cancel", "$KV.other_STATE.a", "$SYS.REQ.SERVER.PING",
	}
	forWorkers := []string{
		"$JS.API.STREAM.CREATE.tasks", "$JS.API.STREAM.UPDATE.tasks", "$JS.API.STREAM.DELETE.tasks", "$JS.API.STREAM.PURGE.tasks",
		"$JS.API.STREAM.DELETE.tasks_DEAD", "$JS.API.STREAM.DELETE.KV_tasks_STATE", "$JS.API.STREAM.PURGE.KV_tasks_RESULTS",
		"$JS.API.STREAM.RESTORE.tasks", "$JS.API.STREAM.SNAPSHOT.tasks", "$JS.API.STREAM.MSG.DELETE.tasks_DEAD", "$JS.API.DIRECT.GET.tasks_DEAD",
	}
	forSubmitters := []string{
		"$JS.API.CONSUMER.CREATE.tasks", "$JS.API.CONSUMER.CREATE.tasks.c.>", "$JS.API.CONSUMER.DURABLE.CREATE.tasks.c",
		"$JS.API.CONSUMER.DELETE.tasks.w_normal_work", "$JS.API.CONSUMER.MSG.NEXT.tasks.w_normal_work", "$JS.ACK.tasks.w_normal_work.1.1.1.1.1",
		"tasks.dead.k.n", "$JS.API.STREAM.MSG.DELETE.tasks_DEAD", "$KV.tasks_STATE.a", "$KV.tasks_PROCS.a", "$KV.tasks_SLOTS.a",
	}
	for user, subjects := range map[string][][]string{
		operator: {forAll}, worker: {forAll, forWorkers}, submitter: {forAll, forWorkers, forSubmitters},
	} {
		for _, list := range subjects {
			for _, subject := range list {
				if !refuses(t, s, user, func(nc *natsgo.Conn) error { return nc.Publish(subject, nil) }) {
					t.Errorf("user %s may publish to %s", user, subject)
				}
			}
		}
	}
	for user, subjects := range map[string][]string{
		operator: {">", "other.>", "$JS.>"}, worker: {">", "tasks.>", "tasks.run.>"}, submitter: {">", "tasks.>", "tasks.run.>", "tasks.ctl.>"},
	} {
		for _, subject := range subjects {
			if !refuses(t, s, user, func(nc *natsgo.Conn) error { _, err := nc.SubscribeSync(subject); return err }) {
				t.Errorf("user %s may subscribe to %s", user, subject)
			}
		}
	}
}

// refuses reports whether the server refuses a user something.
func refuses(t *testing.T, s *embed.Server, user string, do func(*natsgo.Conn) error) bool {
	t.Helper()
	nc := quietly(t, s, user)
	defer nc.Close()
	if err := errors.Join(do(nc), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	err := nc.LastError()
	if err != nil && !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Fatal(fmt.Errorf("user %s: %w", user, err))
	}
	return err != nil
}
