package main

import (
	"sync"
	"time"
)

// results gathers what becomes of the files. It is safe for concurrent use.
type results struct {
	mu       sync.Mutex
	counts   counts
	keys     map[string]*keyResult
	files    []fileResult
	failures []failure
	times    // of the files that were read or failed
}

// counts are the numbers that a run changes as it goes.
type counts struct {
	tally
	closed   int // directories that could not be read
	skipped  int // entries that are neither files nor directories
	restarts int
	lines    int64
}

// tally counts files by what became of them: each that was found is one of those
// that were read, failed, shed or dropped, or is unfinished.
type tally struct {
	Found      int   `json:"files_found"`
	Read       int   `json:"files_read"`
	Failed     int   `json:"files_failed"` // for good
	Shed       int   `json:"shed"`         // given up by the discipline
	Dropped    int   `json:"dropped"`      // given up by the overflow policy
	Unfinished int   `json:"files_unfinished"`
	Late       int   `json:"late"`  // of those that were read or failed
	Bytes      int64 `json:"bytes"` // of those that were read
}

// done is the number of files that nothing more happens to.
func (t tally) done() int { return t.Found - t.Unfinished }

// add adds other files.
func (t *tally) add(o tally) {
	t.Found += o.Found
	t.Read += o.Read
	t.Failed += o.Failed
	t.Shed += o.Shed
	t.Dropped += o.Dropped
	t.Unfinished += o.Unfinished
	t.Late += o.Late
	t.Bytes += o.Bytes
}

// keyResult is what became of the files of a key.
type keyResult struct {
	tally
	// The queue waits of the files that were read or failed. They are kept one by
	// one, which takes little beside their paths: a histogram as for the whole
	// run has 200 kB, and there may be a key for every few files.
	waits []time.Duration
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
	return &results{keys: make(map[string]*keyResult), times: newTimes()}
}

// count counts files of a key. r.mu is held.
func (r *results) count(key string, t tally) *keyResult {
	k := r.keys[key]
	if k == nil {
		k = new(keyResult)
		r.keys[key] = k
	}
	k.add(t)
	r.counts.add(t)
	return k
}

// found notes a file that is about to be submitted.
func (r *results) found(t *fileTask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(t.Key(), tally{Found: 1, Unfinished: 1})
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
	r.counts.closed++
	r.failures = append(r.failures, failure{Path: path, Error: reason(err), Attempts: 1})
}

// ended notes how a task ended.
func (r *results) ended(t *fileTask, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.restarts += max(0, t.attempts-1)
	change := became(t, err)
	switch {
	case change.Read > 0:
		change.Bytes = t.content.bytes
		r.counts.lines += t.content.lines
		r.files = append(r.files, fileResult{path: t.path, content: t.content})
	case change.Failed > 0:
		r.failures = append(r.failures, failure{Path: t.path, Error: reason(t.failure), Attempts: t.attempts})
	case change == tally{}:
		return
	}
	k := r.count(t.Key(), change)
	if t.attempts > 0 {
		k.waits = append(k.waits, t.queueWait)
	}
	r.note(&t.execution)
}

// now returns the present counts.
func (r *results) now() counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}
