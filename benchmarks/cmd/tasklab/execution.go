package main

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// subject is a task that is looked at.
type subject interface {
	taskmanager.Task
	noted() *execution
	late() bool // whether it was begun after its deadline; to be asked when it has ended
}

// execution is what a task notes of its executions. It is written by the submit and
// then the executions, one after the other; to be read when the task has ended.
type execution struct {
	submitted time.Time
	allowed   time.Duration // how long it may wait; 0: not known
	queueWait time.Duration // from the submit to the first execution
	runTime   time.Duration // of the last execution
	attempts  int           // executions
	failure   error         // of the last execution that failed for a reason other than an interrupt
}

func (e *execution) noted() *execution { return e }

// begin notes the begin of an execution. The function returned notes its end.
func (e *execution) begin(l *load) (end func()) {
	begin := time.Now()
	if e.attempts == 0 {
		e.queueWait = begin.Sub(e.submitted)
	}
	e.attempts++
	l.enter()
	return func() {
		l.leave()
		e.runTime = time.Since(begin)
	}
}

// became is the change in the counts when a task ends with err. One that was
// interrupted before it had ever failed is left unfinished, which is no change. If
// it had, it has failed, whatever prevented another attempt.
func became(t subject, err error) tally {
	change := tally{Unfinished: -1}
	switch {
	case err == nil:
		change.Read = 1
	case t.noted().failure != nil:
		change.Failed = 1
	case errors.Is(err, taskmanager.ErrShed):
		change.Shed = 1
	case errors.Is(err, taskmanager.ErrDropped):
		change.Dropped = 1
	default: // ErrStopped
		return tally{}
	}
	if t.late() {
		change.Late = 1
	}
	return change
}

// load notes how much goes on at once.
type load struct {
	workers                     func() int // how many there are
	busy, peakBusy, peakWorkers atomic.Int64
}

// enter notes the begin of an execution, and how many workers there are.
func (l *load) enter() {
	raise(&l.peakBusy, l.busy.Add(1))
	raise(&l.peakWorkers, int64(l.workers()))
}

// leave notes the end of an execution.
func (l *load) leave() { l.busy.Add(-1) }

// raise makes a peak at least v.
func raise(peak *atomic.Int64, v int64) {
	for {
		old := peak.Load()
		if v <= old || peak.CompareAndSwap(old, v) {
			return
		}
	}
}

// times are how long tasks took that were executed, in nanoseconds.
type times struct{ queueWait, runTime *hdrhistogram.Histogram }

func newTimes() times {
	const digits = 3
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(int64(time.Microsecond), int64(24*time.Hour), digits)
	}
	return times{histogram(), histogram()}
}

// note notes a task that has ended.
func (t times) note(e *execution) {
	if e.attempts > 0 {
		record(t.queueWait, e.queueWait)
		record(t.runTime, e.runTime)
	}
}

// record notes a duration. One beyond the histogram's range counts as the
// longest in it.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	// The value is in range, which is the only error that there is.
	_ = h.RecordValue(min(int64(d), h.HighestTrackableValue()))
}

// percentile is a percentile of a histogram of nanoseconds, in milliseconds.
func percentile(h *hdrhistogram.Histogram, p float64) float64 {
	return milliseconds(time.Duration(h.ValueAtPercentile(p)))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
