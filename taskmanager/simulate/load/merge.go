package load

import (
	"iter"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Merge returns the jobs of all workloads, in order of arrival; of jobs that arrive at the same time,
// those of an earlier workload come first. So tenants can have processes of arrivals of their own.
// The error of a workload ends the merged one after the jobs that came before it.
func Merge(workloads ...workload.Jobs) workload.Jobs {
	return func(yield func(workload.Job, error) bool) {
		var heads []head
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, w := range workloads {
			next, stop := iter.Pull2(w)
			heads = append(heads, head{next: next, stop: stop})
			heads[len(heads)-1].advance()
		}
		for {
			first := earliest(heads)
			if first == nil || !yield(first.job, first.err) || first.err != nil {
				return
			}
			first.advance()
		}
	}
}

// head is the next job of a workload.
type head struct {
	next func() (workload.Job, error, bool)
	stop func()

	job workload.Job
	err error
	ok  bool // there is a job or an error
}

func (h *head) advance() { h.job, h.err, h.ok = h.next() }

// earliest returns the head that is due first, or nil if there is none. An error is due at once: it
// says nothing about time.
func earliest(heads []head) (first *head) {
	for i := range heads {
		h := &heads[i]
		switch {
		case !h.ok:
		case h.err != nil:
			return h
		case first == nil, h.job.At < first.job.At:
			first = h
		}
	}
	return first
}
