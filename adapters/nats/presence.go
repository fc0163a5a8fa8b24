package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// presenceEvery is how often a process says that it is present.
const presenceEvery = procsFor / 3

// describe returns the entry of this process in the bucket of processes.
func (w *Worker) describe() Process {
	host, _ := os.Hostname() // an unknown host is shown as empty
	w.mu.Lock()
	defer w.mu.Unlock()
	p := Process{
		ID: w.id, Name: w.cfg.name, Host: host, PID: os.Getpid(), Workers: w.m.Snapshot().Max,
		Running: len(w.held), Started: w.began, Seen: w.c.clock.now(),
	}
	for name := range w.kinds {
		p.Kinds = append(p.Kinds, name)
	}
	slices.Sort(p.Kinds)
	if p.Name == "" {
		p.Name = fmt.Sprintf("%s/%d", host, p.PID)
	}
	return p
}

// announce says that this process is present.
func (w *Worker) announce(ctx context.Context) error {
	body, err := json.Marshal(w.describe())
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	if _, err := w.c.procs.Put(ctx, w.id, body); err != nil {
		return wrapf("nats: announce the process: %w", w.c.translate(err))
	}
	return nil
}

// announceFirst is announce for the start. If the server is full, the worker runs without an entry: it is
// what makes room.
func (w *Worker) announceFirst(ctx context.Context) error {
	err := w.announce(ctx)
	if errors.Is(err, taskmanager.ErrQueueFull) {
		w.logs.errorf("presence", "%s", clean(err.Error(), errorLimit))
		return nil
	}
	return err
}

// stayPresent announces the process until ctx ends, and then takes the announcement back.
func (w *Worker) stayPresent(ctx context.Context) {
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := w.announce(ctx); err != nil && ctx.Err() == nil {
				w.logs.errorf("presence", "%s", clean(err.Error(), errorLimit))
			}
		case <-ctx.Done():
			leave, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer stop()
			if w.c.nc.IsConnected() {
				_ = w.c.procs.Delete(leave, w.id) // it expires otherwise
			}
			return
		}
	}
}
