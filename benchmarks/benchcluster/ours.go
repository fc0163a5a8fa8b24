package main

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// shape is what the tasks of package nats look like. The zero shape is that of the comparison.
type shape struct {
	data    string        // of the payload
	kinds   int           // the tasks are spread over; 0 is 1
	result  time.Duration // how long results are kept; 0: not at all
	raw     bool          // published without package nats, so that only the names of a kind are unique; they cannot run
	shards  int           // namespaces that the tasks are spread over; 0 is 1
	servers int           // 0 is 1
}

// natsSystem is a namespace of package nats with its defaults.
type natsSystem struct {
	shape     shape
	namespace string
	client    *nats.Client
	conn      *natsgo.Conn
	js        jetstream.JetStream
	stream    jetstream.Stream
}

// connectNATS opens package nats on a connection, which it closes in the end. stop ends the servers.
func connectNATS(ctx context.Context, nc *natsgo.Conn, sh shape, stop func() error) (system, error) {
	all := &shards{conn: nc, stop: stop}
	for i := range max(sh.shards, 1) {
		s, err := openNamespace(ctx, nc, sh, "bench"+strconv.Itoa(i))
		if err != nil {
			return nil, errors.Join(err, all.close())
		}
		all.parts = append(all.parts, s)
	}
	return all, nil
}

func openNamespace(ctx context.Context, nc *natsgo.Conn, sh shape, name string) (s *natsSystem, err error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute) // three servers make eight groups for a namespace
	defer stop()
	s = &natsSystem{shape: sh, namespace: name, conn: nc}
	if s.client, err = nats.Open(ctx, nc, nats.WithNamespace(name), nats.WithReplicas(max(sh.servers, 1))); err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(nc); err != nil {
		return nil, err
	}
	s.stream, err = s.js.Stream(ctx, name)
	return s, err
}

// openEmbedded starts a server in this process.
func openEmbedded(ctx context.Context, parent string, interval time.Duration, sh shape) (system, error) {
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
	return connectNATS(ctx, nc, sh, stop)
}

// openTCP starts servers in processes of their own, as a cluster if there are several, and connects by TCP.
func openTCP(ctx context.Context, parent string, interval time.Duration, sh shape) (system, error) {
	dir, err := os.MkdirTemp(parent, "tcp")
	if err != nil {
		return nil, err
	}
	urls, stopChildren, err := startChildren(ctx, dir, interval, max(sh.servers, 1))
	stop := func() error { return errors.Join(stopChildren(), os.RemoveAll(dir)) }
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	nc, err := natsgo.Connect(urls[0], nats.ConnOptions(nil)...)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return connectNATS(ctx, nc, sh, stop)
}

// payload is what a task carries.
type payload struct {
	Data string `json:"data,omitempty"`
}

// options returns the options of a task: its kind is one of those of the shape.
func (s *natsSystem) options(name string) []nats.SubmitOption {
	options := []nats.SubmitOption{nats.WithKind(s.kindOf(hash(name)))}
	if s.shape.result > 0 {
		options = append(options, nats.WithResult(s.shape.result))
	}
	return options
}

func (s *natsSystem) kindOf(i int) string { return kind + strconv.Itoa(i%max(s.shape.kinds, 1)) }

// hash returns a number that is not negative.
func hash(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() >> 1)
}

func (s *natsSystem) submit(ctx context.Context, name string) error {
	if s.shape.raw {
		subject := s.namespace + ".run.normal." + kind + "." + strings.ReplaceAll(name, " ", "_")
		_, err := s.js.Publish(ctx, subject, []byte(`{"data":"`+s.shape.data+`"}`))
		return err
	}
	_, err := nats.Submit(ctx, s.client, name, payload{s.shape.data}, s.options(name)...)
	return err
}

func (s *natsSystem) submitAll(ctx context.Context, names []string) error {
	if s.shape.raw {
		return errNoBatches
	}
	items := make([]nats.Item[payload], len(names))
	for i, name := range names {
		items[i] = nats.Item[payload]{Name: name, In: payload{s.shape.data}, Options: s.options(name)}
	}
	_, err := nats.SubmitAll(ctx, s.client, items)
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
	for i := range max(s.shape.kinds, 1) {
		err = errors.Join(err, nats.Handle(w, s.kindOf(i), func(context.Context, payload) error {
			ran()
			return nil
		}))
	}
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
