package simulate

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// task is a job that has been submitted. Its type says which optional interfaces the manager finds: a
// task without attributes has none, so that the manager does not ask for them.
type task struct {
	job    Job
	replay *replay
	number int // of the job, from 0

	arrived    time.Duration // at, or shortly after it; written before the submit
	tally      *tally
	executions int // guarded by the lock of the record
}

// newTask returns the task of a job, and the value to submit.
func (r *replay) newTask(number int, j Job) (*task, taskmanager.Task) {
	t := task{job: j, replay: r, number: number}
	plain := j.Kind == "" && j.Key == "" && j.Priority == 0 && j.Cost == 0 && j.Deadline == 0
	switch {
	case plain && j.Fails == 0:
		return &t, &t
	case plain:
		f := &failingTask{t}
		return &f.task, f
	case j.Fails == 0:
		a := &attributedTask{t}
		return &a.task, a
	default:
		f := &failingAttributedTask{attributedTask{t}}
		return &f.task, f
	}
}

// namePrefix begins the names of jobs, so that they differ from those of tasks of the user.
const namePrefix = "job "

// Name returns the name of the job: its number after namePrefix.
func (t *task) Name() string {
	var buffer [24]byte
	return string(strconv.AppendInt(append(buffer[:0], namePrefix...), int64(t.number), 10))
}

// numberOf returns the number in the name of a job, or false for the name of another task.
func numberOf(name string) (number int, ok bool) {
	digits, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil
}

var errFails = errors.New("simulate: an execution that the workload lets fail")

// Execute works for the service time.
func (t *task) Execute(ctx context.Context) error {
	r := t.replay
	began := r.calendar.now()
	execution := r.record.executionBegins(t, began)
	now, err := r.workFor(ctx, t, began)
	r.record.executionEnds(t, began, now)
	r.look()
	if err == nil && execution <= t.job.Fails {
		err = errFails
	}
	return err
}

// attributedTask is a task with attributes.
type attributedTask struct{ task }

var (
	_ taskmanager.TaskWithKind     = (*attributedTask)(nil)
	_ taskmanager.TaskWithKey      = (*attributedTask)(nil)
	_ taskmanager.TaskWithPriority = (*attributedTask)(nil)
	_ taskmanager.TaskWithCost     = (*attributedTask)(nil)
	_ taskmanager.TaskWithDeadline = (*attributedTask)(nil)
)

// Kind returns the kind of the job.
func (t *attributedTask) Kind() string { return t.job.Kind }

// Key returns the key of the job.
func (t *attributedTask) Key() string { return t.job.Key }

// Priority returns the level of the job.
func (t *attributedTask) Priority() int { return t.job.Priority }

// Cost returns the cost of the job.
func (t *attributedTask) Cost() int64 { return max(1, t.job.Cost) }

// Deadline returns the deadline of the job, if it has one.
func (t *attributedTask) Deadline() (deadline time.Time, ok bool) {
	return t.replay.calendar.epoch.Add(t.job.At + t.job.Deadline), t.job.Deadline > 0
}

// failingTask is a task without attributes that fails.
type failingTask struct{ task }

// Restart leaves the decision to the restart policy.
func (*failingTask) Restart(context.Context, error) bool { return true }

// failingAttributedTask is a task with attributes that fails.
type failingAttributedTask struct{ attributedTask }

// Restart leaves the decision to the restart policy.
func (*failingAttributedTask) Restart(context.Context, error) bool { return true }
