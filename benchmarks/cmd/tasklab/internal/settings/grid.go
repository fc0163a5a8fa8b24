package settings

import (
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Common is what all settings of a comparison have in common.
type Common struct {
	IdleTimeout time.Duration
	Limit       int // the most tasks that wait for a worker; 0: no limit
	Overflow    flagvalue.Choice[taskmanager.Overflow]
	Restart     flagvalue.Choice[NewRestart]
	Retries     int // the most restarts of a task
}

// NewCommon returns the default values.
func NewCommon() Common {
	return Common{IdleTimeout: time.Second, Overflow: Overflows.Choose(), Restart: Restarts.Choose(), Retries: 3}
}

// Declare declares the flags. The present values are the defaults.
func (c *Common) Declare(flags *flag.FlagSet) {
	flags.DurationVar(&c.IdleTimeout, "idle-timeout", c.IdleTimeout, "stop a worker above the minimum when it has been idle for `D`")
	flags.IntVar(&c.Limit, "limit", c.Limit, "let at most `N` tasks wait for a worker; 0: any number")
	flags.Var(&c.Overflow, "overflow", "apply the policy `NAME` when a task finds the queue full; see below")
	flags.Var(&c.Restart, "restart", "restart a task that failed by the policy `NAME`; see below")
	flags.IntVar(&c.Retries, "retries", c.Retries, "restart a task at most `N` times")
}

// Explain writes the menus.
func (c *Common) Explain(help io.Writer) {
	Overflows.Explain(help)
	Restarts.Explain(help)
}

// Check adds what is wrong with the flags.
func (c *Common) Check(f *flagvalue.Faults, flags *flag.FlagSet) {
	f.Require(c.IdleTimeout > 0, "-idle-timeout is %v; it must be positive", c.IdleTimeout)
	f.Require(c.Limit >= 0, "-limit is %d; it must be positive, or 0 for no limit", c.Limit)
	f.Require(c.Retries >= 0, "-retries is %d; it must be 0 or more", c.Retries)
	flags.Visit(func(given *flag.Flag) {
		f.Require(given.Name != "overflow" || c.Limit != 0, "-overflow is for a queue with a limit; leave it out, or give a positive -limit")
	})
}

// String describes the settings.
func (c *Common) String() string {
	limit := "no limit"
	if c.Limit > 0 {
		limit = output.English().Sprintf("limit %d, overflow %s", c.Limit, c.Overflow.Name)
	}
	return fmt.Sprintf("idle timeout %v; %s", c.IdleTimeout, limit)
}

// Candidate is one of the settings of a comparison.
type Candidate struct {
	Queue    flagvalue.Setting[taskmanager.Discipline]
	Scaler   flagvalue.Setting[NewScaler]
	Min, Max int // workers
	Common   *Common
}

// Options returns the options of a manager. Each manager needs its own.
func (c Candidate) Options() []taskmanager.Option {
	options := []taskmanager.Option{
		taskmanager.WithQueue(c.Queue.Value),
		taskmanager.WithScaler(c.Scaler.Value()),
		taskmanager.WithWorkers(c.Min, c.Max),
		taskmanager.WithIdleTimeout(c.Common.IdleTimeout),
		taskmanager.WithRestart(restart.MaxAttempts(c.Common.Retries+1, c.Common.Restart.Value())),
	}
	if c.Common.Limit > 0 {
		options = append(options, taskmanager.WithLimit(c.Common.Limit, c.Common.Overflow.Value))
	}
	return options
}

// Start starts a manager with the setting, and with options that come on top.
func (c Candidate) Start(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
	return taskmanager.Start(append(c.Options(), with...)...)
}

// Grid is the settings of a comparison: all combinations of lists.
type Grid struct {
	Common
	Queues     flagvalue.Selection[taskmanager.Discipline]
	Scalers    flagvalue.Selection[NewScaler]
	Mins, Maxs Counts
}

// NewGrid returns the combinations of lists of words.
func NewGrid(queues, scalers string, least, most int) Grid {
	return Grid{
		Common: NewCommon(),
		Queues: Disciplines.Select(queues), Scalers: Scalers.Select(scalers),
		Mins: Counts{least}, Maxs: Counts{most},
	}
}

// Declare declares the flags. The present values are the defaults.
func (g *Grid) Declare(flags *flag.FlagSet) {
	flags.Var(&g.Queues, "queue", "compare the orders in `LIST`, a list of names separated by commas; see below")
	flags.Var(&g.Scalers, "scaler", "compare the scalers in `LIST`; see below")
	flags.Var(&g.Mins, "min", "keep `N` workers at all times, or compare the numbers in a list")
	flags.Var(&g.Maxs, "max", "start up to `N` workers under load, or compare the numbers in a list")
	g.Common.Declare(flags)
}

// Explain writes the menus.
func (g *Grid) Explain(help io.Writer) {
	Disciplines.Explain(help)
	Scalers.Explain(help)
	g.Common.Explain(help)
}

// Check adds what is wrong with the flags.
func (g *Grid) Check(f *flagvalue.Faults, flags *flag.FlagSet) {
	for _, n := range g.Mins {
		f.Require(n >= 0, "-min is %d; it must be 0 or more", n)
	}
	for _, n := range g.Maxs {
		f.Require(n >= 1 && n <= math.MaxInt32, "-max is %d; it must be from 1 to %d", n, math.MaxInt32)
		for _, least := range g.Mins {
			f.Require(least <= n || n < 1, "-min, %d, exceeds -max, %d", least, n)
		}
	}
	g.Common.Check(f, flags)
	if len(*f) > 0 {
		return
	}
	for _, c := range g.Candidates() {
		c.Min, c.Max = 0, 1 // Start may start as many workers
		m, err := c.Start()
		if err != nil {
			f.Add("%s with %s: %w", c.Queue.Name, c.Scaler.Name, err)
			return
		}
		stop(m)
	}
}

// Candidates returns all combinations.
func (g *Grid) Candidates() (all []Candidate) {
	for _, q := range g.Queues.Chosen {
		for _, s := range g.Scalers.Chosen {
			for _, least := range g.Mins {
				for _, most := range g.Maxs {
					all = append(all, Candidate{q, s, least, most, &g.Common})
				}
			}
		}
	}
	return all
}

// Weigh gives weights of keys to each discipline fair that has none.
func (g *Grid) Weigh(weights []flagvalue.Weight) {
	if len(weights) == 0 {
		return
	}
	for i, q := range g.Queues.Chosen {
		if rest, ok := strings.CutPrefix(q.Name, "fair"); ok && !strings.HasPrefix(rest, ":") {
			word := "fair:" + strings.Join(flagvalue.FormatWeights(weights), ":") + rest
			if weighted, err := Disciplines.Find(word); err == nil {
				g.Queues.Chosen[i] = weighted
			}
		}
	}
}

// Counts is the value of a flag that lists whole numbers.
type Counts []int

// Set reads a list. After an error the numbers are as before.
func (c *Counts) Set(list string) error {
	var read Counts
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			return fmt.Errorf("%q is not a whole number", word)
		}
		if slices.Contains(read, n) {
			return fmt.Errorf("%q is there twice", word)
		}
		read = append(read, n)
	}
	*c = read
	return nil
}

// String returns the list.
func (c *Counts) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(*c), "[]"), " ", ",")
}
