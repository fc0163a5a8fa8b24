package trace

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// tasks collects executions of tasks, in any order.
type tasks struct {
	key       string // the attribute with the key; empty: none
	texts     texts
	resources map[string]int

	executions [][]execution // of each name, by its index
	indexes    map[taskName]int
}

// taskName is a name of tasks. Tasks of different resources, such as the instances of a service, may
// have the same name at the same time.
type taskName struct {
	resource int
	name     string
}

// execution is an execution, or the end of a task that waited to run.
type execution struct {
	start   time.Duration // since 1970
	took    time.Duration
	waited  time.Duration
	attempt int // 0: an end
	outcome observe.Outcome

	kind, key string
	line      int
}

// resource returns a number for a resource.
func (t *tasks) resource(a otlpAttributes) int {
	var b strings.Builder
	for i := range a {
		b.WriteString(quote(a[i].Key))
		b.WriteString(quote(a[i].Value.text()))
	}
	if t.resources == nil {
		t.resources = make(map[string]int)
	}
	n, ok := t.resources[b.String()]
	if !ok {
		n = len(t.resources)
		t.resources[b.String()] = n
	}
	return n
}

// add adds an execution.
func (t *tasks) add(of taskName, e execution) {
	i, ok := t.indexes[of]
	if !ok {
		if t.indexes == nil {
			t.indexes = make(map[taskName]int)
		}
		i = len(t.executions)
		t.indexes[of] = i
		t.executions = append(t.executions, nil)
	}
	t.executions[i] = append(t.executions[i], e)
}

// rows returns the tasks, in no particular order, but always the same one.
func (t *tasks) rows() iter.Seq[row] {
	return func(yield func(row) bool) {
		for _, executions := range t.executions {
			slices.SortStableFunc(executions, func(a, b execution) int {
				return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.attempt, b.attempt))
			})
			if !divide(executions, yield) {
				return
			}
		}
	}
}

// divide divides the executions of a name among the tasks that had it, one after the other.
func divide(executions []execution, yield func(row) bool) bool {
	var current task
	for _, e := range executions {
		switch {
		case e.attempt == 0 && current.last.outcome == observe.Postponed:
			// The end of the current task, while it waited to run again.
		case e.attempt == 0:
			// Another task. The current one may continue, since the other one may have waited for its name.
			r := e.row()
			r.neverRan = true
			if !yield(r) {
				return false
			}
		case current.continues(e):
			current.add(e)
		default:
			if current.runs > 0 && !yield(current.row()) {
				return false
			}
			current = task{first: e}
			current.add(e)
		}
	}
	return current.runs == 0 || yield(current.row())
}

// task is a task with what is known of its executions.
type task struct {
	first, last execution
	took        time.Duration // by all executions
	runs        int
	fails       int
}

// continues reports whether e may be the next execution of the task.
func (t *task) continues(e execution) bool {
	again := t.last.outcome == observe.Failure || t.last.outcome == observe.Postponed
	return t.runs > 0 && again && e.attempt > t.last.attempt
}

func (t *task) add(e execution) {
	t.last = e
	t.took += e.took
	t.runs++
	if e.outcome == observe.Failure {
		t.fails++
	}
}

// row returns the job. In a replay, it runs once for each failure and once more, unless it failed in the
// end. The service time is such that this takes as long as the executions took.
func (t *task) row() row {
	r := t.first.row()
	r.Fails = t.fails
	replayed := t.fails
	if t.last.outcome != observe.Failure {
		replayed++
	}
	r.Service = t.took / time.Duration(replayed)
	return r
}

// row returns the row of a task of which e is the first execution, without the service time.
func (e execution) row() row {
	r := row{line: e.line}
	r.At, r.Kind, r.Key = e.start-e.waited, e.kind, e.key
	return r
}
