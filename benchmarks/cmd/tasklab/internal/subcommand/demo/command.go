// Package demo is the subcommand demo: a synthetic service with a live dashboard.
package demo

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/web"
)

// Subcommand is demo.
var Subcommand = subcommand.Subcommand{
	Name:      "demo",
	Arguments: "[-listen ADDRESS] [flags]",
	Summary:   "show the live dashboard of a synthetic service",
	New:       func() subcommand.Command { return newCommand() },
}

// command has the values of the flags.
type command struct {
	listen   string
	readOnly bool
	traceURL string
	seed     uint64
	rate     float64
	duration time.Duration
}

func newCommand() *command {
	return &command{listen: "127.0.0.1:8080", seed: 1, rate: 40}
}

// Declare declares the flags.
func (c *command) Declare(flags *flag.FlagSet) {
	flags.StringVar(&c.listen, "listen", c.listen, "serve the dashboard at `ADDRESS`; the port 0 means any free one")
	flags.BoolVar(&c.readOnly, "read-only", c.readOnly, "let visitors look only; required unless ADDRESS is a loopback address")
	flags.StringVar(&c.traceURL, "trace-url", c.traceURL, "link traces to `URL`, in which {trace_id} is replaced")
	flags.Uint64Var(&c.seed, "seed", c.seed, "draw random values from the seed `N`")
	flags.Float64Var(&c.rate, "rate", c.rate, "let `N` tasks arrive each second on average")
	flags.DurationVar(&c.duration, "duration", c.duration, "end after `D`; 0: at an interrupt")
}

// Explain describes the service.
func (*command) Explain(help io.Writer) {
	output.Say(help, `
The service has two managers. Manager images shares its workers between tenants: it makes
thumbnails, fetches originals over a bad connection, resizes and transcodes. The tenant
umbrella sends more than its share, in bursts. Manager mails sends messages by priority,
newsletters at their time, and is paused and resumed by hand. Schedules clean up, build
an index and write a report, which takes too long.

Open the address that the command prints. With -read-only nobody can cancel tasks, pause or
resize a manager, or start a schedule.
`)
}

// Check reports everything that is wrong with the flags.
func (c *command) Check(*flag.FlagSet) error {
	var f flagvalue.Faults
	if err := web.Loopback(c.listen); err != nil && !c.readOnly {
		f.Add("-listen: %w; everybody there could cancel tasks: add -read-only", err)
	}
	f.Require(c.rate > 0 && c.rate <= 10_000, "-rate is %v; it must be positive, and at most 10000", c.rate)
	f.Require(c.duration >= 0, "-duration is %v; it must not be negative", c.duration)
	return f.Err()
}

// Run serves until ctx ends.
func (c *command) Run(ctx context.Context, stdout, stderr io.Writer) subcommand.Status {
	if c.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.duration)
		defer cancel()
	}
	s, err := open(c.seed)
	if err == nil {
		err = c.serve(ctx, s, stdout)
	}
	if err != nil {
		output.Say(stderr, "%v\n", err)
		return subcommand.Failed
	}
	return subcommand.OK // an interrupt is how the demonstration ends
}

// serve serves the dashboard of a service while the service works.
func (c *command) serve(ctx context.Context, s *service, stdout io.Writer) error {
	server, err := web.Serve(c.listen, dashboard.New(c.options(s)...))
	if err != nil {
		return errors.Join(err, s.close())
	}
	output.Say(stdout, "The dashboard is at %s\nPress Ctrl-C to end.\n", server.URL)
	s.work(ctx, c.rate)
	return errors.Join(server.Close(), s.close())
}

// options returns the options of the dashboard.
func (c *command) options(s *service) []dashboard.Option {
	options := []dashboard.Option{
		dashboard.Title("Tasklab demo"),
		dashboard.Manager("images", s.images, s.imageStats),
		dashboard.Manager("mails", s.mails, s.mailStats),
	}
	if c.traceURL != "" {
		options = append(options, dashboard.TraceURL(c.traceURL))
	}
	if !c.readOnly {
		everybody := func(*http.Request, dashboard.Action, string) error { return nil }
		options = append(options, dashboard.Actions(everybody, dashboard.Cancel, dashboard.Pause, dashboard.Resize, dashboard.Run))
	}
	return options
}
