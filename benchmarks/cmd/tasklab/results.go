package main

import (
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// results gathers what becomes of the files. It is safe for concurrent use.
type results struct {
	mu                 sync.Mutex
	counts             counts
	files              []fileResult
	failures           []failure
	queueWait, runTime *hdrhistogram.Histogram // of the files that are done, in nanoseconds
}

// counts are the numbers that a run changes as it goes.
type counts struct {
	found    int // files
	done     int // files that were read, or have failed for good
	failed   int // files that have, and directories
	skipped  int // entries of other kinds
	restarts int
	bytes    int64 // of the files that were read
	lines    int64
}

// fileResult is a file that was read.
type fileResult struct {
	path string
	content
}

// failure is a file or a directory that could not be read.
type failure struct {
	Path     string `json:"path"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
}

func newResults() *results {
	const digits = 3
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(int64(time.Microsecond), int64(24*time.Hour), digits)
	}
	return &results{queueWait: histogram(), runTime: histogram()}
}

// found notes a file that is about to be submitted.
func (r *results) found() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.found++
}

// skipped notes what is neither a file nor a directory.
func (r *results) skipped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.skipped++
}

// unreadable notes a failure of the walk.
func (r *results) unreadable(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(failure{Path: path, Error: reason(err), Attempts: 1})
}

// ended notes how a task ended. One that was interrupted before it had ever
// failed leaves its file unfinished; if it had, that failure is reported.
func (r *results) ended(t *fileTask, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.restarts += max(0, t.attempts-1)
	switch {
	case err == nil:
		r.files = append(r.files, fileResult{path: t.path, content: t.content})
		r.counts.bytes += t.content.bytes
		r.counts.lines += t.content.lines
	case errors.Is(err, taskmanager.ErrStopped) && t.failure == nil:
		return
	default:
		r.fail(failure{Path: t.path, Error: reason(t.failure), Attempts: t.attempts})
	}
	r.counts.done++
	record(r.queueWait, t.queueWait)
	record(r.runTime, t.runTime)
}

func (r *results) fail(f failure) {
	r.counts.failed++
	r.failures = append(r.failures, f)
}

// now returns the present counts.
func (r *results) now() counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// record notes a duration. One beyond the histogram's range counts as the
// longest in it.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	// The value is in range, which is the only error that there is.
	_ = h.RecordValue(min(int64(d), h.HighestTrackableValue()))
}
