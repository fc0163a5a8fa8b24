package settings

import (
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
)

// Synthetic describes a synthetic workload.
type Synthetic struct {
	Shape    flagvalue.Choice[workload.Shape]
	Rate     float64 // per second
	Service  time.Duration
	Duration time.Duration
	Seed     uint64
	CPU      bool
}

// mostTasks limits a synthetic workload, which is kept in memory.
const mostTasks = 1_000_000

// NewSynthetic returns the default workload.
func NewSynthetic() Synthetic {
	return Synthetic{
		Shape:    workload.Shapes.Choose(),
		Rate:     200,
		Service:  100 * time.Millisecond,
		Duration: 25 * time.Second,
		Seed:     1,
	}
}

// Declare declares the flags. The present values are the defaults.
func (s *Synthetic) Declare(flags *flag.FlagSet) {
	flags.Float64Var(&s.Rate, "rate", s.Rate, "let `N` tasks arrive each second")
	flags.DurationVar(&s.Service, "service", s.Service, "let a task take `D` on average; the times are distributed exponentially")
	flags.Var(&s.Shape, "shape", "let the tasks arrive in the shape `NAME`; see below")
	flags.DurationVar(&s.Duration, "duration", s.Duration, "let tasks arrive for `D`")
	flags.Uint64Var(&s.Seed, "seed", s.Seed, "draw random values from the seed `N`")
	flags.BoolVar(&s.CPU, "cpu", s.CPU, "let a task compute for its time instead of waiting as for a remote call")
}

// Check adds what is wrong with the flags.
func (s *Synthetic) Check(f *flagvalue.Faults) {
	f.Require(s.Rate > 0, "-rate is %v; it must be positive", s.Rate)
	f.Require(s.Service > 0, "-service is %v; it must be positive", s.Service)
	f.Require(s.Duration > 0, "-duration is %v; it must be positive", s.Duration)
	tasks := s.Rate * s.Duration.Seconds()
	f.Require(tasks <= mostTasks, "-rate times -duration is %.3g tasks; it must be at most %d", tasks, mostTasks)
}

// RequireUnset adds a fault for each of the flags that the user set. They
// conflict with -dir.
func (s *Synthetic) RequireUnset(f *flagvalue.Faults, set *flag.FlagSet) {
	ours, same := flag.NewFlagSet("", flag.ContinueOnError), *s
	same.Declare(ours)
	set.Visit(func(given *flag.Flag) {
		f.Require(ours.Lookup(given.Name) == nil, "-%s is for a synthetic workload; leave it out, or -dir", given.Name)
	})
}

// ExplainAttributes writes the attributes of synthetic tasks.
func (*Synthetic) ExplainAttributes(w io.Writer) {
	output.Say(w, `
A synthetic task has its time as cost, a level from 0 to 3, one of four keys, and a
deadline 1 to 10 times -service after it arrived.
`)
}

// Draw draws the workload.
func (s *Synthetic) Draw() *workload.Synthetic {
	var work workload.Work = workload.Sleep
	if s.CPU {
		work = workload.NewComputation()
	}
	return workload.Draw(s.Shape.Value, s.Rate, s.Service, s.Duration, s.Seed, work)
}

// String describes the workload.
func (s *Synthetic) String() string {
	rate, verb := fmt.Sprint(s.Rate), "take"
	if s.Shape.Name == "step" {
		rate = fmt.Sprintf("%v, %v and again %v", s.Rate/10, s.Rate, s.Rate/10)
	}
	if s.CPU {
		verb = "compute for"
	}
	return fmt.Sprintf("%s load, %s tasks/s that %s %v on average, for %v, seed %d", s.Shape.Name, rate, verb, s.Service, s.Duration, s.Seed)
}
