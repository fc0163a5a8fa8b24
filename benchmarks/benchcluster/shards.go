package main

import (
	"context"
	"errors"
	"sync"

	natsgo "github.com/nats-io/nats.go"
)

// shards are namespaces on the same servers, over which the tasks are spread by name. Each has a part of the
// slots of a worker.
type shards struct {
	parts []*natsSystem
	conn  *natsgo.Conn
	stop  func() error // ends the servers
}

func (s *shards) of(name string) *natsSystem { return s.parts[hash(name)/64%len(s.parts)] }

func (s *shards) submit(ctx context.Context, name string) error {
	return s.of(name).submit(ctx, name)
}

func (s *shards) submitAll(ctx context.Context, names []string) error {
	split := make(map[*natsSystem][]string, len(s.parts))
	for _, name := range names {
		split[s.of(name)] = append(split[s.of(name)], name)
	}
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	for part, names := range split {
		all.Go(func() {
			err := part.submitAll(ctx, names)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	for _, err := range errs {
		if errors.Is(err, errNoBatches) {
			return errNoBatches
		}
	}
	return errors.Join(errs...)
}

func (s *shards) work(ctx context.Context, slots, idleKinds int, ran func()) (stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		errs := make([]error, len(stops))
		var all sync.WaitGroup
		for i, stop := range stops {
			all.Go(func() { errs[i] = stop() })
		}
		all.Wait()
		return errors.Join(errs...)
	}
	for _, part := range s.parts {
		one, err := part.work(ctx, slots/len(s.parts), idleKinds, ran)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		stops = append(stops, one)
	}
	return stop, nil
}

func (s *shards) outstanding(ctx context.Context) (n int, err error) {
	for _, part := range s.parts {
		m, err := part.outstanding(ctx)
		if err != nil {
			return 0, err
		}
		n += m
	}
	return n, nil
}

// messages counts those of the connection.
func (s *shards) messages(context.Context) (int64, error) {
	return int64(s.conn.Stats().OutMsgs), nil
}

func (s *shards) close() error {
	for _, part := range s.parts {
		part.client.Close()
	}
	s.conn.Close()
	return s.stop()
}
