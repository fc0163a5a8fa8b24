package ledger

import (
	"math"
	"slices"
)

// Forever is the end of a [Run] that has not ended.
const Forever int64 = math.MaxInt64

// Run is an execution of a task.
type Run struct {
	Name, ID, Kind, Process string
	Attempt                 int
	From, To                int64 // Unix times in nanoseconds; To is Forever if the run has not ended
	// How is the event that ended it: End, Failed, Cancelled, Kill or Exit, or empty.
	How  Event
	Text string // of the start
}

// taskKey identifies a task.
type taskKey struct{ name, id string }

func (r Run) task() taskKey { return taskKey{r.Name, r.ID} }

// runKey is what the lines of one execution have in common. An id may run twice with one attempt, in two
// processes.
type runKey struct {
	process, id string
	attempt     int
}

// Runs returns all executions in the order of their starts.
func Runs(lines []Line) []Run {
	var runs []Run
	last := map[runKey]int{}                 // indices of runs
	open := map[string]map[runKey]struct{}{} // by process
	for _, l := range lines {
		key := runKey{l.Process, l.ID, l.Attempt}
		switch l.Event {
		case Start:
			last[key] = len(runs)
			if open[l.Process] == nil {
				open[l.Process] = map[runKey]struct{}{}
			}
			open[l.Process][key] = struct{}{}
			runs = append(runs, Run{Name: l.Name, ID: l.ID, Kind: l.Kind, Process: l.Process, Attempt: l.Attempt, From: l.At, To: Forever, Text: l.Text})
		case End, Failed, Cancelled:
			// A process that says that it kills itself may still write what its other tasks do.
			if i, ok := last[key]; ok {
				runs[i].To, runs[i].How = l.At, l.Event
				delete(open[l.Process], key)
			}
		case Kill, Exit:
			for key := range open[l.Process] {
				runs[last[key]].To, runs[last[key]].How = l.At, l.Event
			}
			delete(open, l.Process)
		}
	}
	return runs
}

// Peak returns how many of the runs went on at once at most.
func Peak(runs []Run) int {
	type edge struct {
		at    int64
		delta int
	}
	var edges []edge
	for _, r := range runs {
		edges = append(edges, edge{r.From, 1}, edge{r.To, -1})
	}
	// Of two edges at one time, the end comes first.
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at != b.at {
			if a.at < b.at {
				return -1
			}
			return 1
		}
		return a.delta - b.delta
	})
	now, peak := 0, 0
	for _, e := range edges {
		now += e.delta
		peak = max(peak, now)
	}
	return peak
}

// Undisturbed returns the runs of tasks that no fault made run twice: from the submit of the task to the end of this
// run, no server ended or had a full disk, and no process that ran it was frozen. Only those keep to limits.
func Undisturbed(runs []Run, lines []Line) []Run {
	a := account{ends: endsOfServers(lines), stood: standstills(lines), ran: byTask(runs), since: firstLines(lines)}
	return Select(runs, func(r Run) bool { return !a.disturbed(r, r.To) })
}

// Counted returns the runs that ended no later than their task. The end of a task may reach the server when the lease is
// over and another process runs the task again. From then on, the server does not count that run.
func Counted(runs []Run) []Run {
	ended := map[taskKey]int64{}
	for _, r := range runs {
		if first, known := ended[r.task()]; r.How == End && (!known || r.To < first) {
			ended[r.task()] = r.To
		}
	}
	return Select(runs, func(r Run) bool {
		first, known := ended[r.task()]
		return !known || r.To <= first
	})
}

// firstLines returns the times of the first lines about tasks.
func firstLines(lines []Line) map[taskKey]int64 {
	first := map[taskKey]int64{}
	for _, l := range lines {
		key := taskKey{l.Name, l.ID}
		if _, known := first[key]; !known {
			first[key] = l.At
		}
	}
	return first
}

// byTask sorts runs by their task.
func byTask(runs []Run) map[taskKey][]Run {
	all := map[taskKey][]Run{}
	for _, r := range runs {
		all[r.task()] = append(all[r.task()], r)
	}
	return all
}

// Select returns the elements for which keep is true.
func Select[E any](all []E, keep func(E) bool) []E {
	var some []E
	for _, e := range all {
		if keep(e) {
			some = append(some, e)
		}
	}
	return some
}
