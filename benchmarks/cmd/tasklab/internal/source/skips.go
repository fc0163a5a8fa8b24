package source

import (
	"io"
	"sync"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// skips counts the lines of a trace that have no job. The trace is read several times,
// also by several goroutines, but the first time in full.
type skips struct {
	mu    sync.Mutex // guards the rest
	last  int        // the line that was counted last
	lines int
	first error
}

// note counts a line, unless it was counted before.
func (s *skips) note(e *trace.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Line <= s.last {
		return
	}
	s.last = e.Line
	s.lines++
	if s.first == nil {
		s.first = e
	}
}

// Remark tells the user which lines of the trace, as far as it was read, have no job.
func (s *Source) Remark(w io.Writer) {
	s.skips.mu.Lock()
	defer s.skips.mu.Unlock()
	if n := s.skips.lines; n > 0 {
		output.Say(w, "tasklab: lines of the trace without a task: %d; the first is %v\n", n, s.skips.first)
	}
}
