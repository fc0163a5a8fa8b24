package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// idleContender is an idle worker.
type idleContender struct {
	name   string
	kinds  int
	open   func(ctx context.Context) (system, error)
	counts string // what its messages are

	rate float64 // messages each second
}

// idleContenders returns the workers whose idle cost is measured: one of each of the given engines.
func idleContenders(all []contender) []*idleContender {
	var idle []*idleContender
	for _, e := range []struct {
		name, counts string
		kinds        []int
	}{
		{"**nats, server in the process**", "messages of the connection", []int{1, 10}},
		{"River, PostgreSQL", "transactions", []int{1}},
		{"Asynq, Redis, appendfsync everysec", "commands", []int{1}},
	} {
		for _, c := range all {
			if c.name != e.name {
				continue
			}
			for _, kinds := range e.kinds {
				idle = append(idle, &idleContender{name: c.name, kinds: kinds, open: c.open, counts: e.counts})
			}
			break
		}
	}
	return idle
}

// measureIdle measures the workers at the same time, since they do nothing.
func measureIdle(ctx context.Context, idle []*idleContender, watch time.Duration) error {
	systems := make([]system, 0, len(idle))
	for _, c := range idle {
		s, err := c.open(ctx)
		if err != nil {
			return err
		}
		systems = append(systems, s)
	}
	errs := make([]error, len(idle))
	var all sync.WaitGroup
	for i, c := range idle {
		all.Go(func() {
			c.rate, errs[i] = idleMessages(ctx, systems[i], c.kinds-1, watch)
			errs[i] = errors.Join(errs[i], systems[i].close())
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// idleWatch is how long idle workers are watched: so long that everything happens that they do regularly.
const idleWatch = 310 * time.Second

// settling is the time that a worker has to start before its messages are counted.
const settling = 2 * time.Second

// idleMessages returns how many messages an idle worker sends each second.
func idleMessages(ctx context.Context, s system, idleKinds int, watch time.Duration) (rate float64, err error) {
	stop, err := s.work(ctx, slots, idleKinds, func() {})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var counts [2]int64
	for i, wait := range []time.Duration{settling, watch} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if counts[i], err = s.messages(ctx); err != nil {
			return 0, err
		}
	}
	return float64(counts[1]-counts[0]) / watch.Seconds(), nil
}
