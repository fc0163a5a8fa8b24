// Package workload has the tasks that read files, and the walk that finds them.
package workload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// Reader makes the tasks that read the files of a session.
type Reader struct {
	files   fs.FS
	retries int
	load    *measure.Load
}

// NewReader returns a Reader of files. A file that cannot be read is tried up to
// retries more times.
func NewReader(files fs.FS, retries int, load *measure.Load) *Reader {
	return &Reader{files: files, retries: retries, load: load}
}

// Task makes the task of a file, to be submitted at once.
func (r *Reader) Task(path string, entry fs.DirEntry) *File {
	return &File{reader: r, Executions: measure.Executions{Submitted: time.Now()}, path: path, entry: entry}
}

// File is a task that reads one file, computes its digest and counts its lines.
type File struct {
	measure.Executions
	reader  *Reader
	path    string
	entry   fs.DirEntry
	found   int64 // what sizeFound returns, plus 1; 0: not looked up yet
	content Content

	// These two are for Progress, which may be called at any time.
	read, size atomic.Int64
}

var (
	_ measure.Task                 = (*File)(nil)
	_ taskmanager.RestartableTask  = (*File)(nil)
	_ taskmanager.TaskWithProgress = (*File)(nil)
	_ taskmanager.TaskWithKind     = (*File)(nil)
)

// Name returns the path of the file below the directory.
func (t *File) Name() string { return t.path }

// Kind is the same for all files.
func (t *File) Kind() string { return "read" }

// Execute reads the file from its beginning.
func (t *File) Execute(ctx context.Context) error {
	defer t.Begin(t.reader.load)()
	return t.scan(ctx)
}

// Restart allows a number of further attempts after any failure: a file that is
// missing or not permitted now may be readable a moment later.
func (t *File) Restart(_ context.Context, err error) bool {
	t.Failure = err
	return t.Attempts <= t.reader.retries
}

// Progress returns the share of the file that was read.
func (t *File) Progress() (float64, error) {
	read, size := t.read.Load(), t.size.Load()
	if size == 0 {
		return 0, nil
	}
	return min(1, float64(read)/float64(size)), nil // a file may grow while it is read
}

// Description says what the task does.
func (t *File) Description() string { return "digest and lines of " + t.path }

// Content describes the file. Call it when the task has succeeded.
func (t *File) Content() Content { return t.content }

// Adopt makes the task one that another process has executed, with what that process measured and read.
func (t *File) Adopt(e measure.Executions, c Content) { t.Executions, t.content = e, c }

// scan reads the file. It sets the content only at the end of the file.
func (t *File) scan(ctx context.Context) error {
	t.read.Store(0)
	t.size.Store(0)
	file, err := t.reader.files.Open(t.path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	t.size.Store(info.Size())
	if t.Allowed == 0 {
		t.Allowed = allowance(info.Size())
	}
	t.content, err = Scan(ctx, file, t.read.Store)
	return err
}

// Reason returns the text of an error without the path, which reports show
// beside it.
func Reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return err.Error()
}
