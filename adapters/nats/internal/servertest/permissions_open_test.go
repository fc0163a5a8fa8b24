package servertest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// The users of a server with a user for each role. Their passwords are their names.
const (
	submitter = "submitter"
	worker    = "worker"
	operator  = "operator"
)

// serveRoles starts a server with a user for each role in the namespace "tasks".
func serveRoles(t *testing.T) *embed.Server {
	t.Helper()
	var users []embed.User
	for name, role := range map[string]nats.Role{submitter: nats.RoleSubmitter, worker: nats.RoleWorker, operator: nats.RoleOperator} {
		publish, subscribe := nats.Permissions("tasks", role)
		users = append(users, embed.User{Name: name, Password: name, Publish: publish, Subscribe: subscribe})
	}
	return serve(t, embed.Options{Listen: "127.0.0.1:0", Users: users})
}

// as connects as a user, who must never be refused anything.
func as(t *testing.T, s *embed.Server, user string) *natsgo.Conn {
	t.Helper()
	return connect(t, s, natsgo.UserInfo(user, user), natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
		t.Errorf("user %s: %v", user, err)
	}))
}

// quietly connects as a user, who may be refused something.
func quietly(t *testing.T, s *embed.Server, user string) *natsgo.Conn {
	t.Helper()
	return connect(t, s, natsgo.UserInfo(user, user), natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}))
}

// Only an operator makes a namespace and changes its settings. Others are told so at once, although the server does
// not answer a request that it refuses.
func TestPermissionsOpen(t *testing.T) {
	s := serveRoles(t)
	refused := func(when string, nc *natsgo.Conn, subject string, opts ...nats.Option) {
		t.Helper()
		began := time.Now()
		_, err := nats.Open(soon(t), nc, opts...)
		if !errors.Is(err, natsgo.ErrPermissionViolation) || !strings.Contains(err.Error(), subject) || !strings.Contains(err.Error(), "see Permissions") {
			t.Errorf("%s: %v, want a violation of permissions that names %s", when, err, subject)
		}
		if d := time.Since(began); d > quickly {
			t.Errorf("%s: it took %v", when, d)
		}
	}
	for _, user := range []string{submitter, worker} {
		refused("a new namespace as "+user, quietly(t, s, user), "$JS.API.STREAM.CREATE.")
	}
	open(t, as(t, s, operator), nats.WithMaxTasks(10))
	for _, user := range []string{submitter, worker} {
		open(t, as(t, s, user))
		open(t, as(t, s, user), nats.WithMaxTasks(10))
		nc := quietly(t, s, user)
		refused("another limit as "+user, nc, "$JS.API.STREAM.UPDATE.tasks", nats.WithMaxTasks(11))
		refused("the same a second time", nc, "$JS.API.STREAM.UPDATE.tasks", nats.WithMaxTasks(11))
		refused("another namespace as "+user, quietly(t, s, user), "$JS.API.STREAM.INFO.other", nats.WithNamespace("other"))
		open(t, nc) // what was refused once does not matter
	}
	open(t, as(t, s, operator), nats.WithMaxTasks(11))
	refused("another namespace as operator", quietly(t, s, operator), "$JS.API.STREAM.INFO.other", nats.WithNamespace("other"))
}

// Wrong credentials are reported at once by the connection, with the options of this package too.
func TestCredentialsOfAServer(t *testing.T) {
	s := serveRoles(t)
	for name, opts := range map[string][]natsgo.Option{
		"none":                nil,
		"a wrong password":    {natsgo.UserInfo(worker, "x")},
		"an unknown user":     {natsgo.UserInfo("x", "x")},
		"a token, not a user": {natsgo.Token(worker)},
	} {
		began := time.Now()
		_, err := natsgo.Connect(s.URL(), append(connOptions(t), opts...)...)
		if !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("with %s: %v, want a violation", name, err)
		}
		if d := time.Since(began); d > quickly {
			t.Errorf("with %s: it took %v", name, d)
		}
	}
}
