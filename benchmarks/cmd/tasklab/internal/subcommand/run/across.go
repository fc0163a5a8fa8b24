package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/web"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// across has the values of the flags of a run in several processes.
type across struct {
	at     string // a URL, or the word embed or env; empty: the run is in this process only
	store  string
	listen string
	lease  time.Duration
}

// declare declares the flags.
func (a *across) declare(flags *flag.FlagSet) {
	flags.StringVar(&a.at, "cluster", a.at, "let the processes of tasklab worker read the files; they connect to the NATS server at `URL`; embed: to one in this process, which then reads files too; env: to the one that the environment variable "+cluster.Variable+" names")
	flags.StringVar(&a.store, "store", a.store, "with -cluster embed, keep the state in `DIR`, so that the same command continues an interrupted run")
	flags.StringVar(&a.listen, "listen", a.listen, "with -cluster embed, let workers connect at `ADDRESS`; the port 0 means any free one")
	flags.DurationVar(&a.lease, "lease", a.lease, "with -cluster embed, let other processes read the files of this one after `D` without a sign of life; the same for all workers")
}

// Flags that cannot be given with -cluster, by the reason.
var (
	notAcross   = map[string]bool{"queue": true, "limit": true, "overflow": true, "record": true}
	ofWorkers   = map[string]bool{"min": true, "max": true, "idle-timeout": true, "scaler": true, "restart": true, "retries": true, "lease": true}
	ofEmbedding = map[string]bool{"store": true, "listen": true, "lease": true}
)

// check adds what is wrong with the flags.
func (a *across) check(flags *flag.FlagSet, f *flagvalue.Faults) {
	embedded := a.at == cluster.Embedded
	if a.at != "" && !embedded {
		if _, err := cluster.Address(a.at); err != nil {
			f.Add("%w", err)
		}
	}
	flags.Visit(func(set *flag.Flag) {
		switch {
		case a.at != "" && notAcross[set.Name]:
			f.Add("-%s is for a run in one process; leave it out, or -cluster", set.Name)
		case a.at != "" && !embedded && ofWorkers[set.Name]:
			f.Add("-%s is for the processes that read; give it to tasklab worker", set.Name)
		case !embedded && ofEmbedding[set.Name]:
			f.Add("-%s is for -cluster embed; leave it out", set.Name)
		}
	})
	f.Require(a.lease >= 100*time.Millisecond, "-lease is %v; it must be 100ms or more", a.lease)
	if embedded {
		if err := web.Loopback(a.listen); err != nil {
			f.Add("-listen: %w; the names of files and the secret in the URL would cross the network in clear: use a loopback address, or a NATS server with TLS", err)
		}
	}
}

// resume says how an interrupted run goes on.
func (a *across) resume() string {
	if a.store == "" {
		return ""
	}
	return "; the same command continues the run"
}

// readAcross reads all files in the processes of a cluster.
func (c *command) readAcross(ctx context.Context, d progress.Display, stderr io.Writer, more ...taskmanager.Option) (rep Report, err error) {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return rep, fmt.Errorf("tasklab: -dir: %w", err)
	}
	joined, err := c.across.join(ctx, stderr)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, joined.Close(ctx)) }()
	j := newShared(joined, dir)
	if c.across.store != "" {
		if j.journal, err = openJournal(filepath.Join(c.across.store, journalName), dir); err != nil {
			return rep, err
		}
		defer func() { err = errors.Join(err, j.journal.close(err == nil && !rep.Interrupted)) }()
		j.resumes(stderr)
	}
	var own *cluster.Worker
	if c.across.at == cluster.Embedded {
		own, err = joined.Serve(cluster.Workforce{Manager: c.manager, Scaler: c.scaler.Value(), Restart: c.restart.Value(), Retries: c.retries, Options: more},
			cluster.Reader{Name: "this process"})
		if err != nil {
			return rep, err
		}
		defer func() { err = errors.Join(err, own.Stop(ctx, c.manager.Grace)) }()
	}
	hideDashboard, err := c.live.showCluster(joined, own)
	if err != nil {
		return rep, err
	}
	err = j.work(ctx, d, c.manager.Grace)
	err = errors.Join(err, hideDashboard())
	rep = c.report(j.results, j.measured())
	rep.Cluster, rep.Interrupted = joined.Shown, ctx.Err() != nil
	return rep, err
}

// join connects to the cluster, or starts one.
func (a *across) join(ctx context.Context, stderr io.Writer) (*cluster.Cluster, error) {
	if a.at != cluster.Embedded {
		address, err := cluster.Address(a.at)
		if err != nil {
			return nil, fmt.Errorf("tasklab: %w", err)
		}
		return cluster.Join(ctx, address, a.lease, cluster.Log(stderr))
	}
	place := cluster.Place{Listen: a.listen}
	if a.store != "" {
		place.Dir = filepath.Join(a.store, "server")
		if err := os.MkdirAll(a.store, 0o700); err != nil {
			return nil, fmt.Errorf("tasklab: -store: %w", err)
		}
	}
	joined, err := cluster.Embed(ctx, place, a.lease, cluster.Log(stderr))
	if err == nil {
		output.Say(stderr, "Other processes read too with: %s=%s tasklab worker\n", cluster.Variable, joined.URL)
	}
	return joined, err
}

// OnCluster reads all files below a directory in the worker processes of a cluster, and shows the progress on d. It
// calls ended after each file with how many have ended.
func OnCluster(ctx context.Context, joined *cluster.Cluster, dir string, d progress.Display, ended func(n int)) (Report, error) {
	c := newCommand()
	c.dir = dir
	j := newShared(joined, dir)
	j.told = ended
	err := j.work(ctx, d, c.manager.Grace)
	rep := c.report(j.results, j.measured())
	rep.Cluster, rep.Interrupted = joined.Shown, ctx.Err() != nil
	return rep, err
}

// Locally reads all files below a directory in this process, and shows the progress on d.
func Locally(ctx context.Context, dir string, d progress.Display) (Report, error) {
	c := newCommand()
	c.dir = dir
	return c.read(ctx, workload.Directory(dir), d)
}
