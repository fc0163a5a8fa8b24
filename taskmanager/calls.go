package taskmanager

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/internal/text"
)

// calls are the calls of observers, loggers, timetables and functions of WithOnEnd in progress.
// [TaskManager.Stop] waits for them, directly or because their goroutine is a worker's, and names them if it
// waits in vain. There are several shards, so that workers that call an observer for each
// execution do not compete for one lock.
type calls struct{ shards [8]callShard }

type callShard struct {
	mu   sync.Mutex // guards the rest
	open []userCall // some of them are zero
	free []int      // the indexes of those
	_    [64]byte   // keeps the next shard in another cache line
}

// userCall describes a call of user code.
type userCall struct {
	what string // the method or the kind of code; "": not in progress
	of   any    // the observer; nil: something else
	task string // for which the call is made; "": for none
}

// begin notes that a call begins. The caller must call end with the results when it is over.
func (c *calls) begin(begun userCall) (s *callShard, place int) {
	s = &c.shards[rand.Uint32()%uint32(len(c.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		place, s.free = s.free[n-1], s.free[:n-1]
		s.open[place] = begun
		return s, place
	}
	s.open = append(s.open, begun)
	return s, len(s.open) - 1
}

// end notes that a call is over.
func (s *callShard) end(place int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[place] = userCall{}
	s.free = append(s.free, place)
}

// inProgress returns the calls in progress.
func (c *calls) inProgress() (list []userCall) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		list = append(list, s.open...)
		s.mu.Unlock()
	}
	return slices.DeleteFunc(list, func(c userCall) bool { return c.what == "" })
}

// What is called.
const (
	beginSubmitCall  = "BeginSubmit"
	endSubmitCall    = "EndSubmit"
	beginRunCall     = "BeginRun"
	endRunCall       = "EndRun"
	beginRestartCall = "BeginRestart"
	endRestartCall   = "EndRestart"
	taskEndedCall    = "TaskEnded"
	observePoolCall  = "ObservePool"
	decidedCall      = "ScalerDecided"
	unobserveCall    = "the function that ObservePool returned"
	loggerCall       = "the logger"
	timetableCall    = "the timetable"
	onEndCall        = "the function of WithOnEnd"
)

// String says what is called, and for which task.
func (c userCall) String() string {
	what := c.what
	if c.of != nil {
		what = fmt.Sprintf("%s of the observer %T", what, c.of)
	}
	if c.task != "" {
		what += " for task " + text.Name(c.task)
	}
	return what
}

// holdsUp reports whether a task has not really ended before the call returns. A submit does
// not belong to its task, the timetable of a schedule belongs to no run, and a function of WithOnEnd
// is called when the end is visible.
func (c userCall) holdsUp() bool {
	switch c.what {
	case beginSubmitCall, endSubmitCall, timetableCall, onEndCall:
		return false
	}
	return c.task != ""
}
