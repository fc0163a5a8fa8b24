package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// service is a synthetic service with two managers.
type service struct {
	images, mails         *taskmanager.TaskManager
	imageStats, mailStats *dashboard.Collector
	random                *rand.Rand // of the traffic, which is one goroutine
}

// tenants have weights under the discipline of manager images.
var tenants = []struct {
	name   string
	weight int
	share  float64 // of the tasks
}{
	{"acme", 3, 0.25},
	{"globex", 2, 0.15},
	{"initech", 1, 0.1},
	{"umbrella", 1, 0.5},
}

// weight returns the weight of a tenant.
func weight(key string) int {
	for _, t := range tenants {
		if t.name == key {
			return t.weight
		}
	}
	return 1
}

// open starts the managers and their schedules.
func open(seed uint64) (*service, error) {
	s := &service{
		imageStats: dashboard.NewCollector(),
		mailStats:  dashboard.NewCollector(),
		random:     rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // not a secret
	}
	var imagesErr, mailsErr error
	s.images, imagesErr = taskmanager.Start(
		taskmanager.WithName("images"),
		taskmanager.WithObserver(s.imageStats),
		taskmanager.WithWorkers(2, 32),
		taskmanager.WithIdleTimeout(5*time.Second),
		taskmanager.WithQueue(taskmanager.Fair(weight)),
		taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{})),
		taskmanager.WithLimit(2000, taskmanager.DropOldest),
		taskmanager.WithRestart(restart.MaxAttempts(5, restart.Exponential(2*time.Second, 20*time.Second))),
		taskmanager.WithHistory(200),
	)
	s.mails, mailsErr = taskmanager.Start(
		taskmanager.WithName("mails"),
		taskmanager.WithObserver(s.mailStats),
		taskmanager.WithWorkers(1, 4),
		taskmanager.WithQueue(taskmanager.Priority(50)),
		taskmanager.WithHistory(200),
	)
	err := errors.Join(imagesErr, mailsErr)
	if err == nil {
		err = s.plan()
	}
	if err != nil {
		return nil, fmt.Errorf("tasklab: %w", errors.Join(err, s.close()))
	}
	return s, nil
}

// plan makes the schedules, and the newsletters that are due later.
func (s *service) plan() error {
	var faults []error
	for _, one := range []struct {
		name  string
		every time.Duration
		takes time.Duration
	}{
		{"schedule/cleanup", 10 * time.Second, time.Second},
		{"schedule/index", 30 * time.Second, 8 * time.Second},
		{"schedule/report", 15 * time.Second, 25 * time.Second}, // so every other run is skipped
	} {
		_, err := s.images.Every(context.Background(), one.every, &job{name: one.name, kind: "schedule", takes: one.takes})
		faults = append(faults, err)
	}
	for i := range 40 {
		_, err := s.mails.Submit(context.Background(), &job{
			name: fmt.Sprintf("newsletter/%02d", i), kind: "newsletter", key: tenants[i%len(tenants)].name, takes: 3 * time.Second,
		}, taskmanager.WithDelay(time.Duration(i+1)*20*time.Second))
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// close ends the managers.
func (s *service) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var faults []error
	for _, m := range []*taskmanager.TaskManager{s.images, s.mails} {
		if m != nil {
			faults = append(faults, m.Stop(ctx))
		}
	}
	return errors.Join(faults...)
}
