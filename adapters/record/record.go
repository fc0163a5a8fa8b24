package record

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Config says where a [Recorder] writes, and how much.
type Config struct {
	// File is the name of the first file. Its directory must exist.
	File string
	// MaxBytes is the size above which no file grows, at least 4096. 0 stands for 100 MiB.
	MaxBytes int64
	// MaxFiles is how many files are kept: when one more is opened, the oldest one is removed, also
	// if it is from an earlier recording. 0: all are kept.
	MaxFiles int
	// Buffer is how many rows may wait to be written. A row takes about 100 bytes, and up to 600
	// with long texts. 0 stands for 65,536.
	Buffer int
}

// The defaults and limits of a Config.
const (
	defaultMaxBytes = 100 << 20
	leastMaxBytes   = 4096 // more than the longest row and the lines at the beginning of a file
	defaultBuffer   = 1 << 16
)

// complete returns c with its defaults, or everything that is wrong with it.
func (c Config) complete() (Config, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Buffer == 0 {
		c.Buffer = defaultBuffer
	}
	return c, errors.Join(
		fault(c.File == "", "File is empty; name the file to write"),
		fault(c.MaxBytes < leastMaxBytes, "MaxBytes is %d; it must be %d or more, or 0 for 100 MiB", c.MaxBytes, leastMaxBytes),
		fault(c.MaxFiles < 0, "MaxFiles is %d; it must be 1 or more, or 0 for no limit", c.MaxFiles),
		fault(c.Buffer < 0, "Buffer is %d; it must be 1 or more, or 0 for %d", c.Buffer, defaultBuffer),
	)
}

func fault(is bool, format string, args ...any) error {
	if !is {
		return nil
	}
	return fmt.Errorf("record: "+format, args...)
}

// Recorder is an observer that records the tasks of a manager; see the package documentation. It is
// safe for concurrent use. Close it when the manager has stopped.
type Recorder struct {
	began   time.Time // when the recording began
	buffer  *buffer
	gaps    gaps
	started [shards]shard // by the hash of the handle
	seed    maphash.Seed
}

var (
	_ observe.RunObserver = (*Recorder)(nil)
	_ observe.EndObserver = (*Recorder)(nil)
)

// shards is a power of two.
const shards = 32

// shard holds tasks that have run and have not ended: those whose first execution is over. Workers
// that look up different tasks rarely compete for one lock.
type shard struct {
	mu    sync.Mutex // guards the rest
	tasks map[*taskmanager.Handle]executions
	most  int  // of tasks, since the map was made
	over  bool // the recorder is closed
	_     [64]byte
}

// noteLocked replaces what is known of a task. The lock is held.
func (s *shard) noteLocked(h *taskmanager.Handle, x executions) {
	s.tasks[h] = x
	s.most = max(s.most, len(s.tasks))
}

// takeLocked removes a task that has ended, and reports whether it had run. A map keeps its memory
// for ever, so a large one is replaced when it is empty. The lock is held.
func (s *shard) takeLocked(h *taskmanager.Handle) (x executions, ran bool) {
	const large = 100
	if x, ran = s.tasks[h]; !ran {
		return x, false
	}
	delete(s.tasks, h)
	if len(s.tasks) == 0 && s.most >= large {
		s.tasks, s.most = make(map[*taskmanager.Handle]executions), 0
	}
	return x, true
}

// executions is what is known of a task that has run.
type executions struct {
	at, wait   time.Duration // as in the row
	total      time.Duration // for which they have occupied their workers
	failed     int
	completed  int // those that count for the mean: neither failed nor postponed
	lastFailed bool
}

// New opens the file and returns a recorder that writes to it. It returns an error if cfg is
// invalid, with all its faults, or if the file cannot be written.
func New(cfg Config) (*Recorder, error) { return newRecorder(cfg, disk{}) }

func newRecorder(cfg Config, fs files) (*Recorder, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	w, err := newWriter(cfg, fs, began)
	if err != nil {
		return nil, err
	}
	r := &Recorder{began: began, buffer: newBuffer(cfg.Buffer, w), seed: maphash.MakeSeed()}
	for i := range r.started {
		r.started[i].tasks = make(map[*taskmanager.Handle]executions)
	}
	return r, nil
}

// Dropped returns how many rows are missing in the trace, because the buffer was full or a write
// failed.
func (r *Recorder) Dropped() int64 { return r.buffer.droppedSoFar() }

// Err returns the error of the last operation on a file that failed, or nil. The recorder continues
// after an error.
func (r *Recorder) Err() error { return r.buffer.lastErr() }

// Close writes what is in the buffer and closes the file. It returns an error if an operation on a
// file has failed since New; rows that were dropped because the buffer was full are no error. After
// that, the recorder ignores all events. Further calls wait for the first one and return its result.
func (r *Recorder) Close() error {
	for i := range r.started {
		s := &r.started[i]
		s.mu.Lock()
		s.over, s.tasks = true, nil
		s.mu.Unlock()
	}
	return r.buffer.close()
}

// BeginRun implements [observe.RunObserver]. It returns ctx.
func (*Recorder) BeginRun(ctx context.Context, _ observe.Run) context.Context { return ctx }

// EndRun implements [observe.RunObserver].
func (r *Recorder) EndRun(ctx context.Context, run observe.Run, result observe.Result) {
	now := time.Since(r.began) // first, since the rest takes time
	h, ok := taskmanager.FromContext(ctx)
	if !ok {
		return
	}
	start := now - result.Took
	gap := r.gaps.ended(run, start, now)
	s := r.shardOf(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	x, again := s.tasks[h]
	if !again {
		x.at, x.wait = arrival(start, run.Waited)
	}
	x.add(result, gap)
	s.noteLocked(h, x)
}

// add adds an execution, before which its worker was occupied for the time gap.
func (x *executions) add(result observe.Result, gap time.Duration) {
	x.total += gap + result.Took
	x.lastFailed = result.Outcome == observe.Failure
	switch {
	case x.lastFailed:
		x.failed++
	case result.Outcome != observe.Postponed:
		x.completed++
	}
}

// service returns the duration of each execution of a replay.
func (x *executions) service() time.Duration {
	return x.total / time.Duration(max(1, x.failed+x.completed))
}

// fails returns the number of executions that fail in a replay.
func (x *executions) fails(outcome observe.Outcome) int {
	if outcome == observe.HandedOver && x.lastFailed {
		return x.failed - 1
	}
	return x.failed
}

// TaskEnded implements [observe.EndObserver].
func (r *Recorder) TaskEnded(ctx context.Context, e observe.End) {
	h, ok := taskmanager.FromContext(ctx)
	if !ok {
		return
	}
	s := r.shardOf(h)
	s.mu.Lock()
	x, ran := s.takeLocked(h)
	over := s.over
	s.mu.Unlock()
	if over {
		return
	}
	if !ran {
		x.at, x.wait = arrival(time.Since(r.began), e.Waited)
	}
	r.buffer.add(trace.Record{
		Job: workload.Job{
			At: x.at, Service: x.service(), Fails: x.fails(e.Outcome), Deadline: r.deadline(h, x.at),
			Kind: text.Clean(e.Kind, text.NameLimit), Key: text.Clean(h.Key(), text.NameLimit),
			Priority: h.Priority(), Cost: h.Cost(),
		},
		NeverRan: !ran && !errors.Is(e.Err, taskmanager.ErrReplaced),
		Wait:     x.wait, Outcome: e.Outcome,
	})
}

// shardOf returns the shard of a task.
func (r *Recorder) shardOf(h *taskmanager.Handle) *shard {
	return &r.started[maphash.Comparable(r.seed, h)%shards]
}

// arrival returns when a task arrived that has waited until the time end. A task may have waited
// since before the recording began, in a store outside.
func arrival(end, waited time.Duration) (at, wait time.Duration) {
	at = max(0, end-waited)
	return at, max(0, end-at)
}

// deadline returns the deadline of a task that arrived at the given time, or 0 if it has none.
func (r *Recorder) deadline(h *taskmanager.Handle, at time.Duration) time.Duration {
	t, ok := h.Deadline()
	if !ok {
		return 0
	}
	return max(time.Nanosecond, t.Sub(r.began.Add(at)))
}
