package nats

import (
	"encoding/json"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// Status is the status of a task, wherever it is. Times are those of this process's clock. The
// process that runs a task describes it. For a waiting task, the number of the worker and the
// progress are unknown. A waiting task has the status [taskmanager.NotAssigned], but
// [taskmanager.Restarted] if it has failed and is not due yet.
//
// In JSON it has the fields of [taskmanager.TaskStatus], and process, id, level and deadline.
type Status struct {
	taskmanager.TaskStatus

	Kind     string    // the kind; it equals TaskStatus.Kind
	Process  string    // the id of the process that has the task, or empty; see [Client.Processes]
	ID       string    // the id; see [WithID]
	Level    Priority  // the level; see [WithPriority]
	Deadline time.Time // the deadline; zero: it has none; see [WithDeadline]
}

// statusExtra is what Status adds in JSON.
type statusExtra struct {
	Process  string    `json:"process,omitempty"`
	ID       string    `json:"id,omitempty"`
	Level    Priority  `json:"level,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
}

// MarshalJSON returns the JSON of the embedded status with the fields that Status adds.
func (s Status) MarshalJSON() ([]byte, error) {
	s.TaskStatus.Kind = s.Kind
	base, err := json.Marshal(s.TaskStatus)
	if err != nil {
		return nil, err
	}
	extra, err := json.Marshal(statusExtra{s.Process, s.ID, s.Level, s.Deadline})
	if err != nil || len(extra) == len("{}") {
		return base, err
	}
	// Both are objects, and the first one has at least a name.
	return append(append(base[:len(base)-1], ','), extra[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON has written.
func (s *Status) UnmarshalJSON(data []byte) error {
	var extra statusExtra
	if err := json.Unmarshal(data, &s.TaskStatus); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &extra); err != nil {
		return err
	}
	s.Kind, s.Process, s.ID, s.Level, s.Deadline = s.TaskStatus.Kind, extra.Process, extra.ID, extra.Level, extra.Deadline
	return nil
}

// Process is a worker that is present, as it last described itself. A worker whose process has died
// stays in the list for up to 30 seconds.
type Process struct {
	ID      string    `json:"id"`      // unique among all workers, also earlier ones
	Name    string    `json:"name"`    // see [WithProcessName]
	Host    string    `json:"host"`    // the name of the machine
	PID     int       `json:"pid"`     // the process id on that machine
	Kinds   []string  `json:"kinds"`   // the kinds that it handles, sorted
	Workers int       `json:"workers"` // how many tasks it can run at once
	Running int       `json:"running"` // how many tasks it had at the time Seen
	Started time.Time `json:"started"` // when it began to pull, by the server's clock
	Seen    time.Time `json:"seen"`    // when it described itself, by the server's clock
}

// KindInfo counts the tasks of one kind. See [Client.Kinds].
type KindInfo struct {
	Kind        string `json:"kind"`
	Waiting     uint64 `json:"waiting"`      // tasks that were not delivered to a worker yet
	Running     uint64 `json:"running"`      // delivered tasks: they run, wait for their delay, or wait to run again
	Dead        uint64 `json:"dead"`         // dead letters
	HasConsumer bool   `json:"has_consumer"` // whether a worker has ever handled the kind
}

// DeadLetter is the record of a task that has failed for good, or was too late to run.
// [Client.DeadLetters] lists dead letters.
type DeadLetter struct {
	Seq   uint64   // identifies the dead letter, for [Client.Retry] and [Client.Delete]
	Name  string   // of the task
	Kind  string   // of the task
	ID    string   // of the task; see [WithID]
	Level Priority // of the task
	Key   string   // see [WithKey]

	Description string
	Reason      string    // why it has failed: the text of an error
	Attempts    int       // the number of executions
	Process     string    // the id of the process that gave it up
	At          time.Time // when it was given up, by the clock of this process
	Payload     []byte    // in the format of Codec
	Codec       string    // the name of the codec; see [WithCodec]
}

// outcome is how a task ended, for those who wait for it. It is the value in the bucket of results,
// under encode(id), and expires after the time of WithResult.
type outcome struct {
	Err       string `json:"err,omitempty"`       // empty: success
	Cancelled bool   `json:"cancelled,omitempty"` // with or without Err
	Out       []byte `json:"out,omitempty"`       // in the format of the codec of the task
	Process   string `json:"process,omitempty"`
}

// cancelAnswer is the answer of a process to a request to cancel a task.
type cancelAnswer struct {
	Process string `json:"process"`
	Held    bool   `json:"held"` // the process has the task, or had it just now
}

// statusAnswer is a part of the answer of a process to a request for the status of its tasks.
type statusAnswer struct {
	Process string       `json:"process"`
	Part    int          `json:"part"`  // from 0
	Parts   int          `json:"parts"` // at least 1
	Tasks   []taskAnswer `json:"tasks"`
}

// taskAnswer is one task of a statusAnswer.
type taskAnswer struct {
	ID       string                 `json:"id"`
	Kind     string                 `json:"kind"`
	Level    Priority               `json:"level,omitempty"`
	Deadline time.Time              `json:"deadline,omitzero"` // by the server's clock
	Status   taskmanager.TaskStatus `json:"status"`
}

// The subjects on which all worker processes listen.
func (c *Client) cancelSubject() string { return c.cfg.namespace + ".ctl.cancel" }
func (c *Client) statusSubject() string { return c.cfg.namespace + ".ctl.status" }
