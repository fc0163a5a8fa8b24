package taskmanager

import (
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/internal/clock"
)

// WorkerStatus is the status of a worker or of a task.
type WorkerStatus string

// The statuses. A worker is Waiting, Running or Blocked. A task has any status except Waiting.
const (
	// NotAssigned means that the task waits for its time or for a worker, and that its last
	// execution did not fail: it has not run, or that execution returned [NotYet].
	NotAssigned WorkerStatus = "not assigned"
	// Waiting means that the worker is idle.
	Waiting WorkerStatus = "waiting"
	// Running means that the task is running, or that the worker runs a task.
	Running WorkerStatus = "running"
	// Blocked means that the task is running but waits, for other tasks or in [Blocking],
	// and has lent its slot. The worker of such a task is Blocked too.
	Blocked WorkerStatus = "blocked"
	// Restarted means that the task has failed and waits to run again.
	Restarted WorkerStatus = "restarted"
	// Finished means that the task has ended. Only its handle and the history report it.
	Finished WorkerStatus = "finished"
)

// String returns the status as text.
func (w WorkerStatus) String() string { return string(w) }

// WorkerInfo describes a worker.
type WorkerInfo struct {
	TaskName string       `json:"task_name"` // the name of its task; "idle" without one, and Status is Waiting
	Status   WorkerStatus `json:"status"`    // Waiting, Running or Blocked

	// Of its task, as in TaskStatus; zero values without one.

	Kind     string    `json:"kind"`
	Key      string    `json:"key"`
	Priority int       `json:"priority"`
	Attempt  int       `json:"attempt"`
	Since    time.Time `json:"since,omitzero"` // when the execution began, also if it is blocked now
}

// idleName is the TaskName of a worker that has no task.
const idleName = "idle"

// TaskStatus describes a task. Its times are measured on the monotonic clock and converted to
// wall times when the status is made. If the wall clock was set since, a later status of the
// same task shows other times; their differences stay the same.
//
// In JSON the names are in snake case, an error is its text, and an error that is nil and a
// time that is zero are left out. A status that is read from JSON equals the one that was
// written, except that its errors only have the texts.
type TaskStatus struct {
	Name        string       // the name of the task
	Kind        string       // its kind; see [TaskWithKind]
	Key         string       // its key for the discipline; see [Handle.Key]
	Priority    int          // its priority for the discipline; see [Handle.Priority]
	Attempt     int          // the number of the last execution or, while it waits, of the next one; from 1
	Worker      int32        // the worker that runs the task or ran it last; 0: none
	Status      WorkerStatus // the status of the task
	Description string       // from WithDescription, or else from a TaskWithProgress
	Progress    float64      // from a TaskWithProgress; 0 for other tasks
	Restarts    int          // the number of restarts so far

	ProgressError error     // the error or panic of a TaskWithProgress
	LastError     error     // the error of the ended task, or of its last finished execution
	QueuedAt      time.Time // when the task was last queued
	StartedAt     time.Time // when its last execution began; zero: it has not run
	DueAt         time.Time // when the task will be queued; zero unless it waits for its time
}

// Status describes each live worker, by its number. Numbers start at 1; the number of a
// worker that has exited is used again. Workers that are [Blocked] do not count towards the
// maximum. Status takes time linear in the number of workers, and stops no other call for
// longer than it takes to read a thousand of them.
func (m *TaskManager) Status() map[int32]WorkerInfo {
	workers := m.workers()
	info := make(map[int32]WorkerInfo, len(workers))
	for _, w := range workers {
		info[w.id] = w.WorkerInfo
	}
	return info
}

// numbered is what a worker does, with the number of the worker.
type numbered struct {
	WorkerInfo

	id int32
}

// workers returns the live workers in ascending order of their numbers.
func (m *TaskManager) workers() []numbered {
	workers := m.pool.Workers()
	list := make([]numbered, len(workers))
	on := make(map[*Handle]int) // the index of the worker of a task
	idle := WorkerInfo{TaskName: idleName, Status: Waiting}
	for i, w := range workers {
		list[i] = numbered{idle, w.ID}
		// The pool counts a worker as busy for a moment after its task has ended. By then the
		// task may run again on another worker, so ask the task. The task may also move
		// during this loop; then the later observation counts.
		if w.Busy && w.Item.runsOn(w.ID) {
			if before, moved := on[w.Item]; moved {
				list[before].WorkerInfo = idle
			}
			on[w.Item] = i
			list[i].WorkerInfo = w.Item.workerInfo(w.Lent)
		}
	}
	return list
}

// workerInfo describes the worker that runs the task, and whose slot may be lent.
func (h *Handle) workerInfo(lent bool) WorkerInfo {
	h.word.Lock()
	defer h.word.Unlock()
	w := WorkerInfo{
		TaskName: h.name, Status: Running,
		Kind: h.kindLocked(), Key: h.Key(), Priority: h.Priority(), Attempt: h.attemptLocked(),
		Since: h.m.wall(h.startedAt), // the worker runs the task, so it has written that
	}
	if lent {
		w.Status = Blocked
	}
	return w
}

// TaskStatus describes each outstanding task, by its name. It calls the methods of each
// [TaskWithProgress], one task after another, on the calling goroutine and without a lock:
// a method that blocks delays this call and nothing else. [TaskManager.Page] lists many tasks in
// portions, and [Handle.Peek] calls no methods.
func (m *TaskManager) TaskStatus() map[string]TaskStatus {
	tasks := slices.Collect(m.names.All())
	statuses := make(map[string]TaskStatus, len(tasks))
	for _, h := range tasks {
		if s := h.Status(); s.Status != Finished {
			statuses[s.Name] = s
		}
	}
	return statuses
}

// Status returns the status of the task, also after its end: what [Handle.Peek] and
// [Handle.Progress] return. It calls the methods of a [TaskWithProgress] on the calling goroutine,
// without a lock held; after the end of the task it does not call them.
func (h *Handle) Status() TaskStatus {
	var s TaskStatus
	// First: the methods may be slow, and what the manager knows would be out of date afterwards.
	s.Progress, s.Description, s.ProgressError = h.Progress()
	return h.peek(s)
}

// Peek returns the status of the task without calling its methods, also after its end. It never
// waits for a task, unlike [Handle.Status]. Progress and ProgressError are zero, and Description is that of
// [WithDescription] or empty; [Handle.Progress] asks the task.
func (h *Handle) Peek() TaskStatus { return h.peek(TaskStatus{}) }

// Progress returns what the Progress and Description methods of a [TaskWithProgress] return now. It
// calls them on the calling goroutine, without a lock held: a method that blocks delays this
// call and nothing else. After a panic of a method, err is a [*PanicError]. For other tasks, and
// after the end of the task, Progress returns zero values. The history has the last progress of a
// task that has ended; see [WithHistory].
func (h *Handle) Progress() (progress float64, description string, err error) {
	h.word.Lock()
	task := h.task
	h.word.Unlock()
	return progressOf(task)
}

// peek adds what the manager knows of the task to s, which has the results of its methods.
func (h *Handle) peek(s TaskStatus) TaskStatus {
	h.statusTo(&s)
	s.display()
	s.Status = h.orBlocked(s.Status, s.Worker)
	return s
}

// orBlocked returns Blocked for a task that is Running on a worker and has lent its slot, and
// otherwise its status.
func (h *Handle) orBlocked(status WorkerStatus, worker int32) WorkerStatus {
	if status == Running && h.m.pool.HasLent(worker, func(x *Handle) bool { return x == h }) {
		return Blocked
	}
	return status
}

// display converts the times to those on the wall clock.
func (s *TaskStatus) display() {
	for _, t := range []*time.Time{&s.QueuedAt, &s.StartedAt, &s.DueAt} {
		if !t.IsZero() {
			*t = clock.Wall(*t)
		}
	}
}

// statusTo sets the fields of s that do not come from methods of the task. The caller must call
// display before it passes s on.
func (h *Handle) statusTo(s *TaskStatus) {
	h.word.Lock()
	defer h.word.Unlock()
	s.Name, s.Kind, s.Key, s.Priority, s.Attempt = h.name, h.kindLocked(), h.Key(), h.Priority(), h.attemptLocked()
	if h.cfg != nil && h.cfg.labels != nil && h.cfg.labels.description != "" {
		s.Description = h.cfg.labels.description
	}
	worker, began := h.ranLocked()
	s.Status, s.Worker, s.LastError = h.statusLocked(), worker, h.failureLocked()
	if h.queuedAt != 0 { // else an observer of the submit asks
		s.QueuedAt = h.m.epoch.Add(h.queuedAt)
	}
	if began != 0 {
		s.StartedAt = h.m.epoch.Add(began)
	}
	if due := h.dueLocked(); due != 0 && h.word.State() == delayed {
		s.DueAt = h.m.epoch.Add(due)
	}
	if r := h.retryLocked(); r != nil {
		s.Restarts = r.restarts
		if s.LastError == nil && h.word.State() != ended {
			s.LastError = r.lastErr
		}
	}
}

// statusLocked returns the public status of the task. The lock of h must be held.
func (h *Handle) statusLocked() WorkerStatus {
	switch h.word.State() {
	case running, asking:
		return Running
	case ended:
		return Finished
	default:
		if r := h.retryLocked(); r != nil && r.restarting {
			return Restarted
		}
		return NotAssigned
	}
}

// taken reports whether a worker has taken the task from the queue and has yet to begin.
func (h *Handle) taken() bool {
	return h.word.State() == claimed
}

// runsOn reports whether the given worker runs the task.
func (h *Handle) runsOn(worker int32) bool {
	h.word.Lock()
	defer h.word.Unlock()
	return (h.word.State() == running || h.word.State() == asking) && h.worker == worker
}
