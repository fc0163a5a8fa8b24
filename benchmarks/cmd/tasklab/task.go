package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// fileTask reads one file, to compute its digest and to count its lines.
type fileTask struct {
	*workbench
	execution
	path    string
	entry   fs.DirEntry
	content content // to be read when the task has ended

	// These two are for Progress, which is called at any time.
	read, size atomic.Int64
}

// content is what is told about a file.
type content struct {
	sum   [sha256.Size]byte
	bytes int64
	lines int64
}

// workbench is what the tasks of a run share.
type workbench struct {
	files   fs.FS
	retries int
	load    *load
	buffers sync.Pool
}

// task makes the task of a file, which is about to be submitted.
func (b *workbench) task(path string, entry fs.DirEntry) *fileTask {
	return &fileTask{workbench: b, execution: execution{submitted: time.Now()}, path: path, entry: entry}
}

// buffer is what a file is read into, piece by piece.
type buffer [128 << 10]byte

func newWorkbench(files fs.FS, retries int, l *load) *workbench {
	return &workbench{
		files:   files,
		retries: retries,
		load:    l,
		buffers: sync.Pool{New: func() any { return new(buffer) }},
	}
}

// The interfaces of the manager that a fileTask makes use of.
var (
	_ subject                      = (*fileTask)(nil)
	_ taskmanager.RestartableTask  = (*fileTask)(nil)
	_ taskmanager.TaskWithProgress = (*fileTask)(nil)
	_ taskmanager.TaskWithKind     = (*fileTask)(nil)
)

// Name is the file's path below the directory of the run.
func (t *fileTask) Name() string { return t.path }

// Kind is that of all of them.
func (t *fileTask) Kind() string { return "read" }

// Execute reads the file from its beginning.
func (t *fileTask) Execute(ctx context.Context) error {
	defer t.begin(t.load)()
	return t.scan(ctx)
}

// Restart is for another attempt, up to a number, whatever the failure: a file
// that is not there or not permitted may be in a moment.
func (t *fileTask) Restart(_ context.Context, err error) bool {
	t.failure = err
	return t.attempts <= t.retries
}

// Progress is the share of the file that was read.
func (t *fileTask) Progress() (float64, error) {
	read, size := t.read.Load(), t.size.Load()
	if size == 0 {
		return 0, nil
	}
	return min(1, float64(read)/float64(size)), nil // a file may grow while it is read
}

// Description says what is done.
func (t *fileTask) Description() string { return "digest and lines of " + t.path }

// scan reads the file. What it counts is kept only if it comes to the end.
func (t *fileTask) scan(ctx context.Context) error {
	t.read.Store(0)
	t.size.Store(0)
	file, err := t.files.Open(t.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written that could be lost
	info, err := file.Stat()
	if err != nil {
		return err
	}
	t.size.Store(info.Size())
	if t.allowed == 0 {
		t.allowed = allowance(info.Size())
	}

	buf := t.buffers.Get().(*buffer)
	defer t.buffers.Put(buf)
	var c content
	digest := sha256.New()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := file.Read(buf[:])
		digest.Write(buf[:n])
		c.bytes += int64(n)
		c.lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		t.read.Store(c.bytes)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	digest.Sum(c.sum[:0])
	t.content = c
	return nil
}

// reason is an error without the path, which is told beside it.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return err.Error()
}
