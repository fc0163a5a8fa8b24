//go:build linux

package e2ecluster_test

import (
	"context"
	"errors"
	"fmt"
)

// awaitRequest waits until a worker asks a consumer for tasks, and has none yet.
func (c *cluster) awaitRequest(consumer string) {
	c.t.Helper()
	c.until("a request for tasks of "+consumer, func(ctx context.Context) error {
		consumer, err := c.js.Consumer(ctx, "tasks", consumer)
		if err != nil {
			return err
		}
		info, err := consumer.Info(ctx)
		if err == nil && info.NumWaiting == 0 {
			err = errors.New("there is none")
		}
		return err
	})
}

// awaitDeliveries waits until n deliveries of a consumer are not settled, or are given back with a delay.
func (c *cluster) awaitDeliveries(n int, consumer string) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d deliveries of %s", n, consumer), func(ctx context.Context) error {
		consumer, err := c.js.Consumer(ctx, "tasks", consumer)
		if err != nil {
			return err
		}
		info, err := consumer.Info(ctx)
		if err == nil && info.NumAckPending < n {
			err = fmt.Errorf("there are %d", info.NumAckPending)
		}
		return err
	})
}

// deliveries returns how many deliveries all consumers have made.
func (c *cluster) deliveries() (n uint64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := c.js.Stream(ctx, "tasks")
	if err != nil {
		c.t.Fatal(err)
	}
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		n += info.Delivered.Consumer
	}
	if err := list.Err(); err != nil {
		c.t.Fatal(err)
	}
	return n
}
