// Package source has the flags that say where a workload comes from: a trace in a
// file, or a synthetic load.
package source

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// Source is a workload as the flags describe it.
type Source struct {
	Seed uint64

	file    string // empty for a synthetic load
	format  flagvalue.Choice[NewFormat]
	columns trace.Mapping
	window  time.Duration
	weights weights

	shape        flagvalue.Choice[NewArrivals]
	rate         float64 // per second
	distribution flagvalue.Choice[NewService]
	duration     time.Duration
	jobs         int
	tenants      tenants

	// service is the flag -service: an expression for a trace, or a duration. mean is
	// that duration.
	service string
	mean    time.Duration
	given   map[string]bool // the flags that the user set

	skips *skips
}

// New returns a source with the default values.
func New() Source {
	return Source{
		Seed:         1,
		format:       Formats.Choose(),
		shape:        Shapes.Choose(),
		rate:         200,
		distribution: Distributions.Choose(),
		duration:     25 * time.Second,
		service:      "100ms",
		skips:        new(skips),
	}
}

// Declare declares the flags.
func (s *Source) Declare(flags *flag.FlagSet) {
	flags.StringVar(&s.service, "service", s.service,
		"let a task of a synthetic load take `D` on average; with -trace, read the service time from an EXPR of a CSV trace, see below")
	flags.Uint64Var(&s.Seed, "seed", s.Seed, "draw random values from the seed `N`")
	s.declareTrace(flags)
	s.declareLoad(flags)
}

func (s *Source) declareTrace(flags *flag.FlagSet) {
	flags.StringVar(&s.file, "trace", s.file, "replay the trace in `FILE`, instead of a synthetic load")
	flags.Var(&s.format, "format", "read the trace in the format `NAME`; see below")
	flags.DurationVar(&s.window, "window", s.window, "sort tasks of the trace that arrive up to `D` out of order")
	flags.Var(&s.weights, "weights", "give keys of the trace the weights in `LIST`, such as a=3,b=1, for fair and for Jain's index; other keys have 1")
	s.declareColumns(flags)
}

func (s *Source) declareLoad(flags *flag.FlagSet) {
	flags.Var(&s.shape, "shape", "let the tasks of a synthetic load arrive in the shape `NAME`; see below")
	flags.Float64Var(&s.rate, "rate", s.rate, "let `N` tasks arrive each second")
	flags.Var(&s.distribution, "distribution", "draw the times that tasks take from the distribution `NAME`; see below")
	flags.DurationVar(&s.duration, "duration", s.duration, "let tasks arrive for `D`")
	flags.IntVar(&s.jobs, "jobs", s.jobs, "let at most `N` tasks arrive; without -duration, exactly so many")
	flags.Var(&s.tenants, "tenants", "divide the tasks among the tenants in `LIST`: KEY:SHARE each, or KEY:SHARE:WEIGHT:SERVICE with a weight for fair and Jain's index, and a mean service time of its own (default a:4,b:2,c:1,d:1)")
}

// Explain writes the source's part of the help.
func (s *Source) Explain(help io.Writer) {
	Shapes.Explain(help)
	Distributions.Explain(help)
	output.Say(help, `
A task of a synthetic load has the key of its tenant, its time in microseconds as cost,
a level from 0 to 3, and a deadline 1 to 10 times -service after it arrived.
`)
	Formats.Explain(help)
	output.Say(help, `
With -at and -service, any CSV file with a header row is a trace. EXPR is the name of a
column, or a sum such as 0.0002*ContextTokens+0.02*GeneratedTokens. Times are in
seconds; arrivals may be dates with a time instead.
`)
}

// Check adds what is wrong with the flags.
func (s *Source) Check(f *flagvalue.Faults, flags *flag.FlagSet) {
	s.given = make(map[string]bool)
	flags.Visit(func(given *flag.Flag) { s.given[given.Name] = true })
	if s.file != "" {
		s.refuse(f, s.declareLoad, "a synthetic load; leave it out, or -trace")
		s.checkTrace(f)
		return
	}
	s.refuse(f, s.declareTrace, "a trace; leave it out, or give -trace")
	if d, err := time.ParseDuration(s.service); err != nil || d <= 0 {
		f.Add("-service is %q; it must be a positive duration, such as 100ms", s.service)
	} else {
		s.mean = d
	}
	if s.given["jobs"] && !s.given["duration"] && s.shape.Name != "step" {
		s.duration = 0
	}
	f.Require(s.rate > 0 && s.rate <= 1e9, "-rate is %v; it must be positive, and at most 1e9", s.rate)
	f.Require(s.duration > 0 || !s.given["duration"], "-duration is %v; it must be positive", s.duration)
	f.Require(s.jobs > 0 || !s.given["jobs"], "-jobs is %d; it must be positive", s.jobs)
	if len(*f) == 0 {
		if err := s.load(s.Seed).Validate(); err != nil {
			f.Add("the load is not valid: %w", err)
		}
	}
}

// refuse adds a fault for each flag of a group that the user set.
func (s *Source) refuse(f *flagvalue.Faults, declare func(*flag.FlagSet), reason string) {
	group := flag.NewFlagSet("", flag.ContinueOnError)
	declare(group)
	group.VisitAll(func(one *flag.Flag) {
		f.Require(!s.given[one.Name], "-%s is for %s", one.Name, reason)
	})
}

// Traced reports whether the workload is a trace.
func (s *Source) Traced() bool { return s.file != "" }

// Workload returns the tasks, those of a synthetic load drawn from a seed. If ctx ends while
// a trace is read, its error ends the tasks.
func (s *Source) Workload(ctx context.Context, seed uint64) simulate.Workload {
	if s.file != "" {
		return s.open(ctx)
	}
	return s.load(seed).Workload()
}

// load returns the synthetic load.
func (s *Source) load(seed uint64) load.Load {
	l := load.Load{
		Arrivals: s.shape.Value(s.rate, s.duration),
		Service:  s.distribution.Value(s.mean),
		Duration: s.duration,
		Jobs:     s.jobs,
		Seed:     seed,
	}
	for _, t := range s.tenants {
		one := load.Tenant{Key: t.key, Share: t.share, Weight: t.weight}
		if t.service > 0 {
			one.Service = s.distribution.Value(t.service)
		}
		l.Tenants = append(l.Tenants, one)
	}
	return l
}

// Weights returns the weights of keys that are not 1, in the order of the keys.
func (s *Source) Weights() []flagvalue.Weight {
	if s.file != "" {
		return slices.DeleteFunc(slices.Clone(s.weights), func(w flagvalue.Weight) bool { return w.Weight == 1 })
	}
	var all []flagvalue.Weight
	for _, t := range s.tenants {
		if t.weight > 1 {
			all = append(all, flagvalue.Weight{Key: t.key, Weight: t.weight})
		}
	}
	slices.SortFunc(all, func(a, b flagvalue.Weight) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// String describes the workload, in one or two lines.
func (s *Source) String() string {
	if s.file != "" {
		return "trace " + output.Printable(s.file)
	}
	rate := fmt.Sprint(s.rate)
	if s.shape.Name == "step" {
		rate = fmt.Sprintf("%v, %v and again %v", s.rate/10, s.rate, s.rate/10)
	}
	text := fmt.Sprintf("%s load, %s tasks/s that take %v on average (%s)", s.shape.Name, rate, s.mean, s.distribution.Name)
	if s.duration > 0 {
		text += ", for " + output.Duration(s.duration)
	}
	if s.jobs > 0 {
		text += output.English().Sprintf(", at most %d tasks", s.jobs)
	}
	if len(s.tenants) > 0 {
		text += "\ntenants " + s.tenants.String()
	}
	return text
}
