package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Dead is a dead letter that the cluster holds at the end.
type Dead struct {
	Name, ID, Reason string
	At               int64 // Unix time in nanoseconds
}

// Fault is a rule that the account breaks.
type Fault struct{ Name, Text string }

// task is what the account knows of an accepted or tried id.
type task struct {
	name, id        string
	tried, accepted int64 // 0: never
	refused         int64 // 0: never
	alone           bool  // it was refused for its own name, and not for that of another task of its batch
	runs            []Run
	ended           int64 // the first end of a run without error; 0: none
	dead            []Dead
}

// askedFor is a cancellation, from the question to the answer.
type askedFor struct {
	from, to int64
	answer   string
}

// account is the ledger, sorted by task.
type account struct {
	ends    []period            // when servers ended or could not store, after which tasks may run twice
	stood   map[string][]period // by process: when it stood still
	tasks   map[taskKey]*task
	ran     map[taskKey][]Run // in the order of the starts
	since   map[taskKey]int64 // when they were tried or started first: they are delivered after that
	order   []*task           // by the time of the first try
	byName  map[string][]*task
	cancels map[string][]askedFor
}

// Balance returns the rules that the account of a cluster at rest breaks, in the order of the ledger:
//
//   - each accepted task has ended without error, is a dead letter, or somebody cancelled it;
//   - no task is a dead letter twice, and none ran that nobody submitted;
//   - of the tasks of one name, each was accepted after the one before had ended, had died or was cancelled;
//   - a refused submit had another task of the same name in its way, and did not run, unless a server ended meanwhile or
//     its disk was full, at which it ends and starts its store;
//   - two executions of one name overlap only if a process that ran the first one's task was frozen, or a server
//     ended or had a full disk, since the submit of that task, or that task has ended, or the handler ignores its context (the Text of
//     its start is "stubborn").
func Balance(lines []Line, dead []Dead) []Fault {
	a := sort(lines, dead)
	var faults []Fault
	for _, t := range a.order {
		for _, text := range []string{a.lost(t), a.twice(t), a.phantom(t)} {
			if text != "" {
				faults = append(faults, Fault{t.name, fmt.Sprintf("%q, id %s: %s", t.name, t.id, text)})
			}
		}
	}
	return append(append(faults, a.occupied()...), a.overlaps()...)
}

func sort(lines []Line, dead []Dead) *account {
	a := &account{ends: endsOfServers(lines), stood: standstills(lines), tasks: map[taskKey]*task{}, byName: map[string][]*task{}, cancels: map[string][]askedFor{}}
	asked := map[string]Line{} // by process and id
	for _, l := range lines {
		switch l.Event {
		case Try:
			if t := a.task(l.Name, l.ID); t.tried == 0 {
				t.tried = l.At
			}
		case Accepted:
			a.task(l.Name, l.ID).accepted = l.At
		case Refused, Rejected:
			t := a.task(l.Name, l.ID)
			t.refused, t.alone = l.At, l.Event == Refused
		case Asked:
			asked[l.Process+"\x00"+l.ID] = l
		case Answered:
			key := l.Process + "\x00" + l.ID
			a.cancels[l.Name] = append(a.cancels[l.Name], askedFor{asked[key].At, l.At, l.Text})
			delete(asked, key)
		}
	}
	for _, l := range asked { // nobody heard the answer
		a.cancels[l.Name] = append(a.cancels[l.Name], askedFor{l.At, Forever, "unknown"})
	}
	runs := Runs(lines)
	a.ran, a.since = byTask(runs), firstLines(lines)
	for _, r := range runs {
		t := a.task(r.Name, r.ID)
		t.runs = append(t.runs, r)
		if r.How == End && (t.ended == 0 || r.To < t.ended) {
			t.ended = r.To
		}
	}
	for _, t := range a.order {
		// The line that says accepted may come late, after tries whose answers were lost.
		if t.accepted != 0 && len(t.runs) != 0 {
			t.accepted = min(t.accepted, t.runs[0].From)
		}
	}
	for _, d := range dead {
		t := a.task(d.Name, d.ID)
		t.dead = append(t.dead, d)
	}
	slices.SortStableFunc(a.order, func(x, y *task) int { return cmp.Compare(x.tried, y.tried) })
	for _, t := range a.order {
		a.byName[t.name] = append(a.byName[t.name], t)
	}
	return a
}

// task returns the entry of an id. One id belongs to one name.
func (a *account) task(name, id string) *task {
	key := taskKey{name, id}
	t := a.tasks[key]
	if t == nil {
		t = &task{name: name, id: id}
		a.tasks[key] = t
		a.order = append(a.order, t)
	}
	return t
}

func (a *account) lost(t *task) string {
	if t.accepted == 0 || t.ended != 0 || len(t.dead) != 0 || a.cancelledAt(t) != 0 {
		return ""
	}
	return fmt.Sprintf("accepted, and lost after %d executions", len(t.runs))
}

func (a *account) twice(t *task) string {
	if len(t.dead) < 2 {
		return ""
	}
	return fmt.Sprintf("%d dead letters", len(t.dead))
}

// phantom reports a task that ran though nobody submitted it, or though its submit was refused.
func (a *account) phantom(t *task) string {
	ran := len(t.runs) != 0 || len(t.dead) != 0
	switch {
	case ran && t.tried == 0 && !strings.HasPrefix(t.id, SchedulePrefix):
		return "it ran, and nobody submitted it"
	case t.refused == 0 || a.serverEnded(t.tried, t.refused):
		// With a server that was killed, an earlier try of the same submit may have been accepted.
		return ""
	case ran && t.accepted == 0:
		return "it ran, and its submit was refused"
	case t.alone && !slices.ContainsFunc(a.byName[t.name], func(o *task) bool { return o != t && (o.accepted != 0 || o.refused == 0) }):
		return "refused, and there is no other task of the name"
	}
	return ""
}

// cancelledAt returns when somebody first asked for the cancellation of a task, or 0. Since a cancellation is for a
// name, it is the task's if the task was tried before the answer, and its successor accepted after the question.
func (a *account) cancelledAt(t *task) int64 {
	var first int64
	for _, c := range a.cancels[t.name] {
		if c.answer == "false" || c.to < t.tried {
			continue
		}
		if slices.ContainsFunc(a.byName[t.name], func(o *task) bool { return o.follows(t) && o.accepted < c.from }) {
			continue
		}
		if first == 0 || c.from < first {
			first = c.from
		}
	}
	return first
}

// follows reports whether a task was accepted after another one, which may not have been accepted at all.
func (t *task) follows(o *task) bool {
	return t.accepted > max(o.accepted, o.tried)
}

// occupied reports tasks that were accepted while an earlier one of the name was outstanding.
func (a *account) occupied() []Fault {
	var faults []Fault
	for name, tasks := range a.byName {
		accepted := Select(tasks, func(t *task) bool { return t.accepted != 0 })
		slices.SortFunc(accepted, func(x, y *task) int { return cmp.Compare(x.accepted, y.accepted) })
		for i, t := range accepted[min(1, len(accepted)):] {
			before := accepted[i]
			if free := a.freeAt(before); free > t.accepted {
				faults = append(faults, Fault{name, fmt.Sprintf("%q, id %s: accepted while %s was outstanding", name, t.id, before.id)})
			}
		}
	}
	slices.SortFunc(faults, func(x, y Fault) int { return strings.Compare(x.Text, y.Text) })
	return faults
}

// freeAt returns the first moment at which the name of a task may have been free again.
func (a *account) freeAt(t *task) int64 {
	free := Forever
	if t.ended != 0 {
		free = t.ended
	}
	if at := a.cancelledAt(t); at != 0 {
		free = min(free, at)
	}
	for _, d := range t.dead {
		free = min(free, d.At)
	}
	return free
}

// overlaps reports executions of one name that go on at once without an excuse.
func (a *account) overlaps() []Fault {
	runs := map[string][]Run{}
	for _, t := range a.order {
		runs[t.name] = append(runs[t.name], t.runs...)
	}
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		list := runs[name]
		slices.SortFunc(list, func(x, y Run) int { return cmp.Compare(x.From, y.From) })
		for i, first := range list {
			for _, second := range list[i+1:] {
				if second.From >= first.To || a.excused(first, second) {
					continue
				}
				faults = append(faults, Fault{name, fmt.Sprintf("%q: attempt %d of %s on %s and attempt %d of %s on %s overlap",
					name, first.Attempt, first.ID, first.Process, second.Attempt, second.ID, second.Process)})
			}
		}
	}
	return faults
}

// excused reports whether two runs may overlap. A task that has ended may be running once more, if its end reached the
// server late; its name is free then.
func (a *account) excused(first, second Run) bool {
	if t := a.tasks[first.task()]; first.ID != second.ID && t.ended != 0 && t.ended <= second.From {
		return true
	}
	return first.Text == "stubborn" || a.disturbed(first, second.From)
}

// disturbed reports whether a task may run twice after a fault between its submit and a time: a process that
// stands still cannot cancel its run in time, and a server that was killed may have forgotten that it has delivered the
// task, or that the lease was extended.
func (a *account) disturbed(r Run, until int64) bool {
	if a.serverEnded(a.since[r.task()], until) {
		return true
	}
	return slices.ContainsFunc(a.ran[r.task()], func(o Run) bool {
		return slices.ContainsFunc(a.stood[o.Process], func(p period) bool { return p.from <= until && o.From <= p.to })
	})
}

// period is the time between two lines.
type period struct{ from, to int64 }

// standstills returns when processes stood still. The line about it comes before the fact, since a process may go on for
// a moment after the signal.
func standstills(lines []Line) map[string][]period {
	stood := map[string][]period{}
	for _, l := range lines {
		switch list := stood[l.Process]; l.Event {
		case Freeze:
			stood[l.Process] = append(list, period{l.At, Forever})
		case Thaw:
			list[len(list)-1].to = l.At
		}
	}
	return stood
}

// endsOfServers returns when servers were killed or stopped, and when they could not store.
func endsOfServers(lines []Line) []period {
	var ends []period
	full := map[string]int{} // indices, by process
	for _, l := range lines {
		if !strings.HasPrefix(l.Process, ServerPrefix) {
			continue
		}
		switch l.Event {
		case Kill, Term:
			ends = append(ends, period{l.At, l.At})
		case Full:
			full[l.Process] = len(ends)
			ends = append(ends, period{l.At, Forever})
		case Room:
			ends[full[l.Process]].to = l.At
		}
	}
	return ends
}

// serverEnded reports whether a server ended, or could not store, in a period.
func (a *account) serverEnded(from, to int64) bool {
	return slices.ContainsFunc(a.ends, func(p period) bool { return from <= p.to && p.from <= to })
}

const (
	// ServerPrefix begins the names of the processes that are servers.
	ServerPrefix = "server"
	// SchedulePrefix begins the ids of the tasks that schedules submit.
	SchedulePrefix = "cron/"
)
