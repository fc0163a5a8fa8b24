// A program that runs a task every second.
package main

import (
	"context"
	"log"

	"github.com/seed56799101/taskmanager/adapters/cron"
	"github.com/seed56799101/taskmanager/taskmanager"
)

type tick chan struct{}

func (tick) Name() string { return "tick" }

func (t tick) Execute(context.Context) error {
	select {
	case t <- struct{}{}:
	default:
	}
	return nil
}

func main() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ran := make(tick, 1)
	if _, err := cron.Schedule(ctx, m, "* * * * * *", ran); err != nil {
		log.Fatal(err)
	}
	<-ran
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
}
