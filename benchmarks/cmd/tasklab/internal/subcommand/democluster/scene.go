package democluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand/run"
)

// process is a worker process. It ends when its standard input does, and so with this program, however that ends.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer  // complete once ended is closed
	ended chan struct{} // closed when it has ended
	err   error         // of its end, once ended is closed
}

// errNobody is the error of a run whose worker processes have ended.
var errNobody = errors.New("tasklab: all worker processes have ended before the files were read")

// scene is the demonstration while it runs.
type scene struct {
	stdout    io.Writer
	processes []*process
	third     int // files after which a process is killed

	killing sync.Once
	victim  *process // that was killed
	ended   int      // files that had ended then
}

// pace is the least time for a file. Without it, the process that is killed might have none at that moment.
const pace = time.Millisecond

// startAll starts the worker processes.
func (s *scene) startAll(ctx context.Context, c *command, url string) error {
	for i := range c.processes {
		p := &process{name: fmt.Sprintf("worker-%d", i+1), ended: make(chan struct{})}
		p.cmd = c.start(ctx, []string{"worker", "-name", p.name, "-lease", c.lease.String(), "-min", "2", "-max", "2", "-pace", pace.String(), "-attached"})
		p.cmd.Env = append(p.cmd.Environ(), cluster.Variable+"="+url) // it has a secret, and all users see arguments
		p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
		stdin, err := p.cmd.StdinPipe()
		if err == nil {
			p.stdin = stdin
			err = p.cmd.Start()
		}
		if err != nil {
			return fmt.Errorf("tasklab: start %s: %w", p.name, err)
		}
		go func() {
			defer close(p.ended)
			p.err = p.cmd.Wait()
		}()
		s.processes = append(s.processes, p)
		output.Say(s.stdout, "%s is process %d.\n", p.name, p.cmd.Process.Pid)
	}
	return nil
}

// awaitAll waits until all processes are there, so that the one that is killed takes part. Those that do not come are
// reported in the end.
func (s *scene) awaitAll(ctx context.Context, joined *cluster.Cluster) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if present, err := joined.Client.Processes(ctx); err == nil && len(present) >= len(s.processes) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// watch stops the run when all processes have ended, since it would wait for others for ever.
func (s *scene) watch(ctx context.Context, stop context.CancelCauseFunc) {
	for _, p := range s.processes {
		select {
		case <-p.ended:
		case <-ctx.Done():
			return
		}
	}
	stop(errNobody)
}

// read lets the processes read the files, and kills one of them. It fails if all of them have ended before.
func (s *scene) read(ctx context.Context, joined *cluster.Cluster, dir string, d progress.Display) (run.Report, error) {
	ctx, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop(nil)
	watching.Go(func() { s.watch(ctx, stop) })
	s.awaitAll(ctx, joined)
	rep, err := run.OnCluster(ctx, joined, dir, d, func(n int) {
		if n >= s.third {
			s.killing.Do(func() {
				s.victim, s.ended = s.processes[1], n
				_ = s.victim.cmd.Process.Kill() // its end tells how it ended
			})
		}
	})
	if rep.Interrupted && errors.Is(context.Cause(ctx), errNobody) {
		err = errors.Join(errNobody, err)
	}
	return rep, err
}

// endAll ends the processes, and returns the output of those that failed.
func (s *scene) endAll() error {
	var faults []error
	for _, p := range s.processes {
		_ = p.stdin.Close() // if it is closed already, the process is ending
	}
	for _, p := range s.processes {
		<-p.ended
		if p == s.victim {
			if p.cmd.ProcessState.Success() {
				faults = append(faults, fmt.Errorf("tasklab: %s had ended before it was killed", p.name))
			}
			continue
		}
		if p.err != nil {
			faults = append(faults, fmt.Errorf("tasklab: %s: %w\n%s", p.name, p.err, &p.out))
		}
	}
	return errors.Join(faults...)
}

// tell prints what happened, and compares the reports.
func (s *scene) tell(local, shared run.Report) error {
	say := func(format string, args ...any) { output.Say(s.stdout, format+"\n", args...) }
	if s.victim == nil {
		return errors.New("tasklab: no process was killed, since there are too few files")
	}
	say("After %s, %s was killed (%v).", output.Count(s.ended, "file"), s.victim.name, s.victim.cmd.ProcessState)
	say("Delivered again, to the other processes: %s.", output.Count(shared.Restarts, "file"))
	for _, p := range shared.Processes {
		say("%s has read %s, %s.", p.Process, output.Count(p.Files, "file"), output.Size(p.Bytes))
	}
	say("The processes took %s for %s, %s, digest %s", seconds(shared.Elapsed), output.Count(shared.Read, "file"), output.Size(shared.Bytes), shared.Digest[:16])
	if shared.Digest != local.Digest || len(shared.Failures) > 0 {
		return fmt.Errorf("tasklab: the digests differ: %s in this process, %s in several; %d failures, %d files unfinished",
			local.Digest, shared.Digest, len(shared.Failures), shared.Unfinished)
	}
	say("Both digests are equal: no file was lost, and none counts twice.")
	return nil
}

// startSelf makes the command that runs this program with other arguments.
func startSelf(ctx context.Context, args []string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, args...) //nolint:gosec // this program itself
}
