package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Start starts the manager of a replay. It must pass the options that it gets to
// [taskmanager.Start], besides its own: they set an observer, a seed and [taskmanager.WithPoolTimes],
// and disable the built-in telemetry. Its own options must not include
// [taskmanager.WithObserver] or [taskmanager.WithRand], which would replace those.
//
// Start is called once for each replay, and must make new scalers and restart policies each time.
type Start = func(with ...taskmanager.Option) (*taskmanager.TaskManager, error)

// Option configures a replay.
type Option interface{ apply(c *config) error }

// config is the result of the options.
type config struct {
	cores    int // 0: as many as there are tasks
	seed     uint64
	weight   func(key string) int
	progress func(ended int)
	realTime bool
	work     Work
}

// Work does what a task does for its service time in real time; see [InRealTime].
type Work = func(ctx context.Context, service time.Duration) error

func newConfig(opts []Option) (c config, err error) {
	var faults []error
	for i, o := range opts {
		if o == nil {
			faults = append(faults, fmt.Errorf("simulate: option %d is nil", i+1))
			continue
		}
		faults = append(faults, o.apply(&c))
	}
	return c, errors.Join(faults...)
}

type option func(c *config) error

func (o option) apply(c *config) error { return o(c) }

// WithCores makes the running jobs share n cores, as computing tasks do: while more than n jobs run,
// all of them advance equally slowly (processor sharing). By default each job has a core of its own,
// as tasks do that wait for a remote call. With the option, an execution does its work to the end even if a
// middleware ends its context.
func WithCores(n int) Option {
	return option(func(c *config) error {
		c.cores = n
		if n < 1 {
			return fmt.Errorf("simulate: WithCores: the number of cores is %d; it must be 1 or more", n)
		}
		return nil
	})
}

// WithSeed sets the seed of the random delays of the manager's restart policies. The default is 0.
// The same seed gives the same report.
func WithSeed(seed uint64) Option {
	return option(func(c *config) error {
		c.seed = seed
		return nil
	})
}

// WithWeights sets the weights of keys by which the fairness index of the report divides: those that
// the manager's [taskmanager.Fair] uses. By default all weights are 1.
func WithWeights(weight func(key string) int) Option {
	return option(func(c *config) error {
		c.weight = weight
		if weight == nil {
			return errors.New("simulate: WithWeights: the function is nil; leave the option out for equal weights")
		}
		return nil
	})
}

// WithProgress sets a function that is called, now and then, with the number of jobs that have ended.
// It must return quickly, and must not wait for anything outside the replay.
func WithProgress(progress func(ended int)) Option {
	return option(func(c *config) error {
		c.progress = progress
		if progress == nil {
			return errors.New("simulate: WithProgress: the function is nil; leave the option out")
		}
		return nil
	})
}

// InRealTime replays in real time, to compare a simulation with reality. Each execution calls work
// with the service time of the job. If work is nil, it waits for that time. The option cannot be
// combined with [WithCores], since the machine has its own.
func InRealTime(work Work) Option {
	return option(func(c *config) error {
		c.realTime, c.work = true, work
		return nil
	})
}

// fault returns a fault of options that cannot be combined.
func (c *config) fault() error {
	if c.realTime && c.cores > 0 {
		return errors.New("simulate: InRealTime cannot be combined with WithCores; the machine has its own cores")
	}
	return nil
}
