package taskmanager

import (
	"slices"
	"time"
)

// WorkerStatus is what a worker or a task is doing.
type WorkerStatus string

// The statuses of workers (Waiting, Running) and of tasks (the others, and
// Running).
const (
	// NotAssigned is a task that waits for its time, or for its first worker.
	NotAssigned WorkerStatus = "not assigned"
	// Waiting is a worker that has nothing to do.
	Waiting WorkerStatus = "waiting"
	// Running is a task that is being executed, and a worker that does so.
	Running WorkerStatus = "running"
	// Blocked is a task that is being executed, but waits for others and has lent the
	// slot of its worker meanwhile, and that worker; see Blocking.
	Blocked WorkerStatus = "blocked"
	// Restarted is a task that has failed and waits to run again.
	Restarted WorkerStatus = "restarted"
	// Finished is a task that has ended. Only its handle still shows it.
	Finished WorkerStatus = "finished"
)

// String is the status as text.
func (w WorkerStatus) String() string { return string(w) }

// WorkerInfo is what one worker does.
type WorkerInfo struct {
	TaskName string       // "idle" if it has none; Status tells a task of that name apart
	Status   WorkerStatus // Waiting if it has none
}

// idleName stands for a task where there is none.
const idleName = "idle"

// TaskStatus describes one task.
type TaskStatus struct {
	Name        string       // of the task
	Worker      int32        // that runs the task, or ran it last; 0: none yet
	Status      WorkerStatus // where it is in its life
	Description string       // from the TaskWithProgress, or WithDescription
	Progress    float64      // from the TaskWithProgress; 0 otherwise
	Restarts    int          // how often it was started again

	ProgressError error     // what Progress returned, or its panic
	LastError     error     // how the execution before this one, or the task, failed
	QueuedAt      time.Time // when it was queued, the last time
	StartedAt     time.Time // when its last execution began; zero: never
	DueAt         time.Time // when it will be queued, while it waits for its time; zero: it does not
}

// Status tells what each live worker does, by its number. Numbers start at 1
// and are given again when a worker has left. Those that are Blocked have lent their
// slots, and do not count for the maximum.
func (m *TaskManager) Status() map[int32]WorkerInfo {
	_, info := m.workers()
	return info
}

// workers tells what each live worker does, and lists their numbers in order.
func (m *TaskManager) workers() (ids []int32, info map[int32]WorkerInfo) {
	workers := m.pool.Workers()
	info = make(map[int32]WorkerInfo, len(workers))
	on := make(map[*Handle]int32)
	idle := WorkerInfo{TaskName: idleName, Status: Waiting}
	for _, w := range workers {
		ids = append(ids, w.ID)
		info[w.ID] = idle
		// A worker is busy until it has come back from the task. By then the task
		// may be over, or run again on another worker; it may also have moved
		// since this loop saw it, and then the later sight counts.
		if w.Busy && w.Item.runsOn(w.ID) {
			if before, moved := on[w.Item]; moved {
				info[before] = idle
			}
			on[w.Item] = w.ID
			info[w.ID] = WorkerInfo{TaskName: w.Item.name, Status: Running}
			if w.Lent {
				info[w.ID] = WorkerInfo{TaskName: w.Item.name, Status: Blocked}
			}
		}
	}
	return ids, info
}

// TaskStatus tells about each outstanding task, by its name. It asks those that
// implement TaskWithProgress, in turn and on this goroutine: one that does not
// answer holds up this call, and nothing else.
func (m *TaskManager) TaskStatus() map[string]TaskStatus {
	tasks := slices.Collect(m.names.All())
	statuses := make(map[string]TaskStatus, len(tasks))
	for _, h := range tasks {
		if s := m.statusOf(h); s.Status != Finished {
			statuses[s.Name] = s
		}
	}
	return statuses
}

// statusOf describes a task. The task's own methods are called with no lock
// held, and first, since they may take their time.
func (m *TaskManager) statusOf(h *Handle) TaskStatus {
	var s TaskStatus
	h.mu.Lock()
	task := h.task
	h.mu.Unlock()
	if task != nil {
		s.Description, s.Progress, s.ProgressError = progressOf(task)
	}
	h.statusTo(&s)
	if s.Status == Running && m.pool.HasLent(s.Worker, func(x *Handle) bool { return x == h }) {
		s.Status = Blocked
	}
	return s
}

// statusTo fills in what the manager knows of the task.
func (h *Handle) statusTo(s *TaskStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Name = h.name
	if h.cfg != nil && h.cfg.labels != nil && h.cfg.labels.description != "" {
		s.Description = h.cfg.labels.description
	}
	s.Status, s.Worker, s.LastError = h.statusLocked(), h.worker, h.failureLocked()
	s.QueuedAt = h.m.epoch.Add(h.queuedAt)
	if h.startedAt != 0 {
		s.StartedAt = h.m.epoch.Add(h.startedAt)
	}
	if h.state == delayed {
		s.DueAt = h.m.epoch.Add(h.dueLocked())
	}
	if r := h.retryLocked(); r != nil {
		s.Restarts = r.restarts
		if s.LastError == nil && h.state != ended {
			s.LastError = r.lastErr
		}
	}
}

// statusLocked is the state as users see it. h.mu is held.
func (h *Handle) statusLocked() WorkerStatus {
	switch h.state {
	case running, asking:
		return Running
	case ended:
		return Finished // and the name is free
	default:
		if h.retryLocked() != nil {
			return Restarted
		}
		return NotAssigned
	}
}

// runsOn reports whether the task is being executed by the given worker.
func (h *Handle) runsOn(worker int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.worker == worker && (h.state == running || h.state == asking)
}
