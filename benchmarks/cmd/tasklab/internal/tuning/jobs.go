package tuning

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

// MostJobs is how many jobs of a workload are kept by default.
const MostJobs = 1_000_000

// Load reads the jobs of a workload into memory, so that they are read once and not for each
// setting. It reads the first jobs, at most most of them, and reports whether there are more: a
// random sample of the jobs would need fewer workers. If ctx ends, Load returns its cause.
func Load(ctx context.Context, w simulate.Workload, most int) (jobs []simulate.Job, more bool, err error) {
	known := make(map[string]string) // one copy of each key and kind
	intern := func(s string) string {
		if k, ok := known[s]; ok {
			return k
		}
		known[s] = s
		return s
	}
	for j, err := range w {
		switch {
		case err != nil:
			return nil, false, fmt.Errorf("tasklab: %w", err)
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		case len(jobs) == most:
			return jobs, true, nil
		}
		j.Key, j.Kind = intern(j.Key), intern(j.Kind)
		jobs = append(jobs, j)
	}
	return jobs, false, nil
}

// Part is a part of a workload. Its time begins at 0.
type Part struct {
	Jobs   []simulate.Job
	Start  time.Duration // in the workload
	Length time.Duration
}

// Split splits a workload by time: the first part has the jobs that arrive in the given share of
// the time between the first and the last arrival. The parts use the memory of jobs. An error says
// which part would be empty.
func Split(jobs []simulate.Job, share float64) (parts [2]Part, err error) {
	if len(jobs) == 0 {
		return parts, fmt.Errorf("tasklab: the workload has no jobs")
	}
	begin := jobs[0].At
	length := jobs[len(jobs)-1].At - begin
	border := begin + time.Duration(math.Ceil(share*float64(length)))
	at, _ := slices.BinarySearchFunc(jobs, border, func(j simulate.Job, t time.Duration) int { return int(min(max(j.At-t, -1), 1)) })
	for i, which := range []string{"first", "second"} {
		if i == 0 && at == 0 || i == 1 && at == len(jobs) {
			return parts, fmt.Errorf("tasklab: -split %v leaves no jobs for the %s part: the %d jobs arrive within %v; give a longer workload or another -split",
				share, which, len(jobs), length)
		}
	}
	for i := range jobs {
		if i < at {
			jobs[i].At -= begin
		} else {
			jobs[i].At -= border
		}
	}
	parts[0] = Part{Jobs: jobs[:at:at], Length: border - begin}
	parts[1] = Part{Jobs: jobs[at:], Start: border - begin, Length: begin + length - border}
	return parts, nil
}

// Offered returns the work of the part, divided by its length: how many workers are busy on average
// if all keep up. It is 0 if the part has no length.
func (p Part) Offered() float64 {
	if p.Length <= 0 {
		return 0
	}
	work := 0.0
	for _, j := range p.Jobs {
		work += j.Service.Seconds() * float64(1+j.Fails)
	}
	return work / p.Length.Seconds()
}

// has reports whether a job of the part has the key.
func (p Part) has(key string) bool {
	return slices.ContainsFunc(p.Jobs, func(j simulate.Job) bool { return j.Key == key })
}

// workload returns the first n jobs as a workload.
func (p Part) workload(n int) simulate.Workload {
	return func(yield func(simulate.Job, error) bool) {
		for _, j := range p.Jobs[:n] {
			if !yield(j, nil) {
				return
			}
		}
	}
}
