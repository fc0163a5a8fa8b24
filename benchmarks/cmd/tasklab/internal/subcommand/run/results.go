package run

import (
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
)

// results collects how the files ended. It is safe for concurrent use.
type results struct {
	mu     sync.Mutex
	counts counts
	keys   map[string]*keyResult
	// Those of a cluster that read files, by their names.
	processes map[string]ProcessReport
	files     []fileResult
	failures  []Failure
	times     measure.Times // of the files that were read or failed
}

// counts are the numbers that change during a run.
type counts struct {
	measure.Tally
	unreadable int // directories
	skipped    int // entries that are neither files nor directories
	restarts   int
	lines      int64
}

// keyResult collects the files with one key.
type keyResult struct {
	measure.Tally
	// The queue waits of the files that were read or failed. A slice is small
	// compared to the paths, while a histogram takes 200 kB, and there may be a
	// key for every few files.
	waits []time.Duration
}

// fileResult is a file that was read.
type fileResult struct {
	path string
	workload.Content
}

// Failure is a file or a directory that could not be read.
type Failure struct {
	Path     string `json:"path"`
	Error    string `json:"error"`
	Attempts int    `json:"attempts"`
}

func newResults() *results {
	return &results{keys: make(map[string]*keyResult), processes: make(map[string]ProcessReport), times: measure.NewTimes()}
}

// countLocked adds files of a key to the counts.
func (r *results) countLocked(key string, t measure.Tally) *keyResult {
	k := r.keys[key]
	if k == nil {
		k = new(keyResult)
		r.keys[key] = k
	}
	k.Add(t)
	r.counts.Add(t)
	return k
}

// found records a file before its submit.
func (r *results) found(t *workload.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.countLocked(t.Key(), measure.Tally{Found: 1, Unfinished: 1})
}

// skipped records an entry that is neither a file nor a directory.
func (r *results) skipped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.skipped++
}

// unreadable records a directory that the walk could not read.
func (r *results) unreadable(path string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.unreadable++
	r.failures = append(r.failures, Failure{Path: path, Error: workload.Reason(err), Attempts: 1})
}

// ended records the end of a task.
func (r *results) ended(t *workload.File, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.restarts += max(0, t.Attempts-1)
	change := measure.Outcome(t, err)
	switch {
	case change.Read > 0:
		content := t.Content()
		change.Bytes = content.Bytes
		r.counts.lines += content.Lines
		r.files = append(r.files, fileResult{path: t.Name(), Content: content})
	case change.Failed > 0:
		r.failures = append(r.failures, Failure{Path: t.Name(), Error: workload.Reason(t.Failure), Attempts: t.Attempts})
	case change == measure.Tally{}:
		return
	}
	k := r.countLocked(t.Key(), change)
	if t.Attempts > 0 {
		k.waits = append(k.waits, t.QueueWait)
	}
	r.times.Record(&t.Executions)
}

// readBy records which process has read a file.
func (r *results) readBy(process string, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.processes[process]
	r.processes[process] = ProcessReport{process, p.Files + 1, p.Bytes + bytes}
}

// now returns the present counts.
func (r *results) now() counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}
