package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

const namespace = "bench"

// natsSystem is package nats with its defaults.
type natsSystem struct {
	client *nats.Client
	conn   *natsgo.Conn
	stream jetstream.Stream
	stop   func() error // ends the servers
}

// connectNATS opens package nats on a connection. stop ends the servers.
func connectNATS(ctx context.Context, nc *natsgo.Conn, replicas int, stop func() error) (system, error) {
	s := &natsSystem{conn: nc, stop: stop}
	var err error
	if s.client, err = nats.Open(ctx, nc, nats.WithNamespace(namespace), nats.WithReplicas(replicas)); err != nil {
		return nil, errors.Join(err, stop())
	}
	js, err := jetstream.New(nc)
	if err == nil {
		s.stream, err = js.Stream(ctx, namespace)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// openEmbedded starts a server in this process.
func openEmbedded(ctx context.Context, parent string, interval time.Duration) (system, error) {
	dir, err := os.MkdirTemp(parent, "embedded")
	if err != nil {
		return nil, err
	}
	server, err := embed.Start(embed.Options{Dir: dir, SyncInterval: interval})
	if err != nil {
		return nil, err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return errors.Join(server.Stop(ctx), os.RemoveAll(dir))
	}
	nc, err := server.Conn(nats.ConnOptions(nil)...)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return connectNATS(ctx, nc, 1, stop)
}

// openTCP starts servers in processes of their own, as a cluster if there are several, and connects by TCP.
func openTCP(ctx context.Context, parent string, interval time.Duration, servers int) (system, error) {
	dir, err := os.MkdirTemp(parent, "tcp")
	if err != nil {
		return nil, err
	}
	urls, stopChildren, err := startChildren(ctx, dir, interval, servers)
	stop := func() error { return errors.Join(stopChildren(), os.RemoveAll(dir)) }
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	nc, err := natsgo.Connect(urls[0], nats.ConnOptions(nil)...)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return connectNATS(ctx, nc, servers, stop)
}

// payload is what the task of every contender carries: next to nothing.
type payload struct{}

func (s *natsSystem) submit(ctx context.Context, name string) error {
	_, err := nats.Submit(ctx, s.client, name, payload{}, nats.WithKind(kind))
	return err
}

func (s *natsSystem) submitAll(ctx context.Context, names []string) error {
	items := make([]nats.Item[payload], len(names))
	for i, name := range names {
		items[i].Name = name
	}
	_, err := nats.SubmitAll(ctx, s.client, items, nats.WithKind(kind))
	return err
}

func (s *natsSystem) work(ctx context.Context, slots, idleKinds int, ran func()) (stop func() error, err error) {
	m, err := taskmanager.Start(taskmanager.WithWorkers(slots, slots))
	if err != nil {
		return nil, err
	}
	w, err := nats.NewWorker(s.client, m)
	if err != nil {
		return nil, errors.Join(err, m.Stop(ctx))
	}
	err = nats.Handle(w, kind, func(context.Context, payload) error {
		ran()
		return nil
	})
	for i := range idleKinds {
		err = errors.Join(err, nats.Handle(w, "idle"+strconv.Itoa(i), func(context.Context, payload) error { return nil }))
	}
	if err != nil {
		return nil, errors.Join(err, m.Stop(ctx))
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return errors.Join(w.Drain(ctx), <-ended, m.Stop(ctx))
	}, nil
}

func (s *natsSystem) outstanding(ctx context.Context) (int, error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	return int(info.State.Msgs), nil
}

func (s *natsSystem) messages(context.Context) (int64, error) {
	return int64(s.conn.Stats().OutMsgs), nil
}

func (s *natsSystem) close() error {
	s.client.Close()
	s.conn.Close()
	return s.stop()
}
