package servertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// userServer is a server with users who may be exchanged.
type userServer interface {
	// exchange lets the server know the user "boss", and the user "worker" with a password, or without it not.
	exchange(t *testing.T, password string)
	url() string // without a user
}

// restarted exchanges its users by a restart.
type restarted struct {
	*embed.Server

	options embed.Options
}

func (s *restarted) url() string {
	u := s.URL()
	return "nats://" + u[max(strings.LastIndex(u, "@"), strings.LastIndex(u, "/"))+1:]
}

func (s *restarted) exchange(t *testing.T, password string) {
	t.Helper()
	if s.Server == nil {
		s.options = embed.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", SyncInterval: time.Minute}
		t.Cleanup(func() { s.stop(t) })
	} else {
		s.options.Listen = strings.TrimPrefix(s.url(), "nats://")
		s.stop(t)
	}
	s.options.Users = []embed.User{{Name: "boss", Password: "boss"}}
	if password != "" {
		s.options.Users = append(s.options.Users, embed.User{Name: "worker", Password: password})
	}
	var err error
	if s.Server, err = embed.Start(s.options); err != nil {
		t.Fatal(err)
	}
}

func (s *restarted) stop(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience) // that of the test has ended when it cleans up
	defer stop()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// reloaded exchanges its users while it runs.
type reloaded struct {
	*server.Server

	options server.Options
}

func (s *reloaded) url() string { return s.ClientURL() }

func (s *reloaded) exchange(t *testing.T, password string) {
	t.Helper()
	users := []*server.User{{Username: "boss", Password: "boss"}}
	if password != "" {
		users = append(users, &server.User{Username: "worker", Password: password})
	}
	if s.Server != nil {
		options := s.options.Clone()
		options.Users = users
		if err := s.ReloadOptions(options); err != nil {
			t.Fatal(err)
		}
		return
	}
	s.options = server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), Users: users}
	var err error
	if s.Server, err = server.NewServer(&s.options); err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(quickly) {
		t.Fatal("the server is not ready")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
}

// TestWorkerOutlivesItsCredentials makes the credentials of a worker invalid while it runs a task, and valid again. The
// log and the error of a submit say so, the task loses its lease, and the worker goes on with it and with what was submitted
// meanwhile.
func TestWorkerOutlivesItsCredentials(t *testing.T) {
	for name, s := range map[string]userServer{
		"restart with another password": &restarted{},
		"user removed":                  &reloaded{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			invalid := map[string]string{"restart with another password": "changed"}[name]
			s.exchange(t, "valid")
			log := new(recordedLog)
			connect := func(user, password string, log nats.Option, more ...natsgo.Option) *nats.Client {
				t.Helper()
				nc, err := natsgo.Connect(s.url(), append(connOptions(t), append(more, natsgo.UserInfo(user, password))...)...)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(nc.Close)
				return open(t, nc, log, nats.WithLease(5*time.Second))
			}
			c := connect("worker", "valid", nats.WithLogger(log), nats.ConnOptions(log)...)
			w := newWorker(t, c, 2)
			var got ledger
			begun, cause := make(chan struct{}, 10), make(chan error, 10)
			handle(t, w, "work", func(ctx context.Context, in string) error {
				if got.add(in); len(got.all()) > 1 {
					return nil
				}
				begun <- struct{}{}
				<-ctx.Done()
				cause <- context.Cause(ctx)
				return context.Cause(ctx)
			})
			w.run(t)
			submit(t, connect("boss", "boss", nats.WithLogger(testLog{t})), "running")
			next(t, "the task runs", begun)

			s.exchange(t, invalid)
			submit(t, connect("boss", "boss", nats.WithLogger(testLog{t})), "meanwhile")
			if err := next(t, "the task ends", cause); !errors.Is(err, nats.ErrLeaseLost) {
				t.Errorf("the cause is %v, want ErrLeaseLost", err)
			}
			const refusal = "nats: the server refuses the credentials of the connection, which is tried again until they are valid"
			eventually(t, "the log says so", func() bool { return strings.Contains(strings.Join(log.all(), "\n"), refusal) })
			eventually(t, "a submit says so", func() bool {
				ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer stop()
				_, err := nats.Submit(ctx, c, "never", "never", nats.WithKind("work"))
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Submit returned %v, want the end of its context", err)
				}
				return errors.Is(err, natsgo.ErrDisconnected) && errors.Is(err, natsgo.ErrAuthorization)
			})

			s.exchange(t, "valid")
			got.waitFor(t, 3)
			boss := connect("boss", "boss", nats.WithLogger(testLog{t}))
			submit(t, boss, "later")
			got.waitFor(t, 4)
			eventually(t, "all tasks have ended", func() bool {
				tasks, err := boss.TaskStatus(soon(t))
				return err == nil && len(tasks) == 0
			})
			counts := map[string]int{}
			for _, line := range got.all() {
				counts[line]++
			}
			if counts["running"] < 2 || counts["meanwhile"] < 1 || counts["later"] < 1 || counts["never"] > 0 {
				t.Errorf("executions: %v", counts)
			}
			for _, err := range boss.DeadLetters(soon(t), "") {
				t.Errorf("there is a dead letter, %v", err)
			}
			if drained, ran := w.drain(t); drained != nil || ran != nil {
				t.Errorf("Drain returned %v and Run %v", drained, ran)
			}
			t.Logf("the log of the worker:\n%s", strings.Join(log.all(), "\n"))
		})
	}
}

// TestWorkerEndsWithARefusedConnection uses a connection without ConnOptions, which is given up after two refusals.
func TestWorkerEndsWithARefusedConnection(t *testing.T) {
	s := &reloaded{}
	s.exchange(t, "valid")
	nc, err := natsgo.Connect(s.url(), natsgo.UserInfo("worker", "valid"), natsgo.Timeout(quickly), natsgo.ReconnectWait(10*time.Millisecond), natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := open(t, nc)
	w := newWorker(t, c, 1)
	var got ledger
	handle(t, w, "work", func(_ context.Context, in string) error { got.add(in); return nil })
	w.run(t)
	submit(t, c, "a")
	got.waitFor(t, 1)
	empty(t, streams(t, nc), "tasks")
	s.exchange(t, "")
	if err := w.result(t); !errors.Is(err, natsgo.ErrConnectionClosed) {
		t.Errorf("Run returned %v, want ErrConnectionClosed", err)
	}
}
