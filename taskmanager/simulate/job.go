package simulate

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Job is a task of a workload.
type Job = workload.Job

// Workload is a stream of jobs in the order of their arrivals.
type Workload = workload.Jobs

// fault returns what is wrong with a job, whose number counts from 0. last is the arrival before.
func fault(j *Job, number int, last time.Duration) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("simulate: job %d: %w", number+1, fmt.Errorf(format, args...))
	}
	switch {
	case j.At < last:
		return wrong("it arrives at %v, before the previous job, at %v; sort the workload", j.At, last)
	case j.At > longest:
		return wrong("it arrives at %v; that must be at most %v", j.At, longest)
	case j.Service < 0 || j.Service > longest:
		return wrong("its service time is %v; it must be from 0 to %v", j.Service, longest)
	case j.Deadline < 0 || j.Deadline > longest:
		return wrong("its deadline is %v after its arrival; it must be from 0 to %v", j.Deadline, longest)
	case j.Cost < 0:
		return wrong("its cost is %d; it must be 0 or more", j.Cost)
	case j.Fails < 0:
		return wrong("it fails %d times; it must be 0 or more", j.Fails)
	}
	return nil
}
