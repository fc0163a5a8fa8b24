package measure

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Times are the distributions of the queue waits and the run times of tasks, to
// three digits.
type Times struct{ queueWait, runTime *hdrhistogram.Histogram }

// NewTimes returns empty distributions.
func NewTimes() Times {
	const digits = 3
	histogram := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(int64(time.Microsecond), int64(24*time.Hour), digits)
	}
	return Times{histogram(), histogram()}
}

// Record adds a task that has ended, if it was executed.
func (t Times) Record(e *Executions) {
	if e.Attempts > 0 {
		record(t.queueWait, e.QueueWait)
		record(t.runTime, e.RunTime)
	}
}

// QueueWait returns a percentile of the queue waits in milliseconds.
func (t Times) QueueWait(p float64) float64 { return percentile(t.queueWait, p) }

// RunTime returns a percentile of the run times in milliseconds.
func (t Times) RunTime(p float64) float64 { return percentile(t.runTime, p) }

// record adds a duration. A duration beyond the histogram's range counts as the
// longest in it.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	// A value out of range is the only possible error.
	_ = h.RecordValue(min(int64(d), h.HighestTrackableValue()))
}

func percentile(h *hdrhistogram.Histogram, p float64) float64 {
	return Milliseconds(time.Duration(h.ValueAtPercentile(p)))
}

// Milliseconds converts a duration.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Seconds converts a number of seconds.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
