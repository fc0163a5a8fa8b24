package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Kind is the kind of the tasks that read files.
const Kind = "tasklab/read"

// File is the payload of a task: the file that is to be read, and how the walk found it. Paths are bytes, since not all
// are valid UTF-8.
type File struct {
	Dir      []byte `json:"dir"`  // absolute
	Path     []byte `json:"path"` // below Dir, with slashes
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // Unix time in nanoseconds
}

// NewFile returns the payload for a file below a directory.
func NewFile(dir, path string, info fs.FileInfo) File {
	return File{Dir: []byte(dir), Path: []byte(path), Size: info.Size(), Modified: info.ModTime().UnixNano()}
}

// Read is the result of a task.
type Read struct {
	Sum     []byte        `json:"sum"` // SHA-256
	Bytes   int64         `json:"bytes"`
	Lines   int64         `json:"lines"`
	RunTime time.Duration `json:"run_time"` // of the last execution
	Attempt int           `json:"attempt"`  // executions, and losses of their processes
	Process string        `json:"process"`  // the name of the process
}

// errChanged is the failure of a file that is not as the walk found it.
var errChanged = errors.New("the file has changed since it was found; run again")

// Reader reads files for others.
type Reader struct {
	Name string        // of this process
	Dir  string        // where the files are in this process; empty: where the payload says
	Pace time.Duration // the least time for a file, as if the disk were slow
}

// Handle makes a worker read files. A file that cannot be read is tried again as the policy says.
func (r Reader) Handle(w *nats.Worker, policy restart.Policy) error {
	curable := func(err error) bool { return !errors.Is(err, errChanged) }
	return nats.HandleResult(w, Kind, r.read, nats.WithRestart(restart.When(curable, policy)))
}

// read executes a task.
func (r Reader) read(ctx context.Context, f File) (Read, error) {
	begin := time.Now()
	c, err := r.scan(ctx, f)
	if err != nil {
		return Read{}, errors.New(workload.Reason(err)) //nolint:err113 // the path is known where it is shown
	}
	if err := rest(ctx, r.Pace-time.Since(begin)); err != nil {
		return Read{}, err
	}
	attempt := 1
	if h, ok := taskmanager.FromContext(ctx); ok {
		attempt = h.Peek().Attempt
	}
	return Read{Sum: c.Sum[:], Bytes: c.Bytes, Lines: c.Lines, RunTime: time.Since(begin), Attempt: attempt, Process: r.Name}, nil
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Content returns what was read.
func (r *Read) Content() workload.Content {
	c := workload.Content{Bytes: r.Bytes, Lines: r.Lines}
	copy(c.Sum[:], r.Sum)
	return c
}

// largeFile is the size from which on the status of a task shows the progress.
const largeFile = 1 << 20

// scan reads the file, which must be as the walk found it. No path leads out of the directory.
func (r Reader) scan(ctx context.Context, f File) (workload.Content, error) {
	dir := r.Dir
	if dir == "" {
		dir = string(f.Dir)
	}
	if !filepath.IsAbs(dir) {
		return workload.Content{}, fmt.Errorf("the directory %q is not absolute", dir)
	}
	file, err := os.OpenInRoot(dir, filepath.FromSlash(string(f.Path)))
	if err != nil {
		return workload.Content{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return workload.Content{}, err
	case !info.Mode().IsRegular():
		return workload.Content{}, errors.New("it is no regular file any more")
	case info.Size() != f.Size || info.ModTime().UnixNano() != f.Modified:
		return workload.Content{}, errChanged
	}
	c, err := workload.Scan(ctx, file, func(n int64) {
		if f.Size >= largeFile {
			nats.SetProgress(ctx, float64(n)/float64(f.Size), "")
		}
	})
	if err == nil && c.Bytes != f.Size {
		err = errChanged
	}
	return c, err
}
