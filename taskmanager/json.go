package taskmanager

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/seed56799101/taskmanager/observe"
)

// statusJSON is a TaskStatus, or a Record, in JSON.
type statusJSON struct {
	Name          string       `json:"name"`
	Kind          string       `json:"kind"`
	Key           string       `json:"key"`
	Priority      int          `json:"priority"`
	Attempt       int          `json:"attempt"`
	Worker        int32        `json:"worker"`
	Status        WorkerStatus `json:"status"`
	Description   string       `json:"description"`
	Progress      number       `json:"progress"`
	Restarts      int          `json:"restarts"`
	ProgressError *string      `json:"progress_error,omitempty"`
	LastError     *string      `json:"last_error,omitempty"`
	QueuedAt      time.Time    `json:"queued_at,omitzero"`
	StartedAt     time.Time    `json:"started_at,omitzero"`
	DueAt         time.Time    `json:"due_at,omitzero"`
	EndedAt       time.Time    `json:"ended_at,omitzero"`

	Outcome   observe.Outcome `json:"outcome,omitempty"`
	ErrorType string          `json:"error_type,omitempty"`
	TraceID   string          `json:"trace_id,omitempty"`
}

func (s TaskStatus) toJSON() statusJSON {
	return statusJSON{
		Name: s.Name, Kind: s.Kind, Key: s.Key, Priority: s.Priority, Attempt: s.Attempt, Worker: s.Worker,
		Status: s.Status, Description: s.Description, Progress: number(s.Progress), Restarts: s.Restarts,
		ProgressError: textOf(s.ProgressError), LastError: textOf(s.LastError),
		QueuedAt: s.QueuedAt, StartedAt: s.StartedAt, DueAt: s.DueAt,
	}
}

func (j statusJSON) status() TaskStatus {
	return TaskStatus{
		Name: j.Name, Kind: j.Kind, Key: j.Key, Priority: j.Priority, Attempt: j.Attempt, Worker: j.Worker,
		Status: j.Status, Description: j.Description, Progress: float64(j.Progress), Restarts: j.Restarts,
		ProgressError: errorOf(j.ProgressError), LastError: errorOf(j.LastError),
		QueuedAt: j.QueuedAt, StartedAt: j.StartedAt, DueAt: j.DueAt,
	}
}

// MarshalJSON implements [json.Marshaler].
func (s TaskStatus) MarshalJSON() ([]byte, error) { return json.Marshal(s.toJSON()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *TaskStatus) UnmarshalJSON(data []byte) error {
	var j statusJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = j.status()
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (r Record) MarshalJSON() ([]byte, error) {
	j := r.toJSON()
	j.EndedAt, j.Outcome, j.ErrorType, j.TraceID = r.EndedAt, r.Outcome, r.ErrorType, r.TraceID
	return json.Marshal(j)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Record) UnmarshalJSON(data []byte) error {
	var j statusJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = Record{j.status(), j.EndedAt, j.Outcome, j.ErrorType, j.TraceID}
	return nil
}

// textOf returns the text of an error for JSON, or nil.
func textOf(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

// errorOf returns an error with a text, or nil.
func errorOf(text *string) error {
	if text == nil {
		return nil
	}
	return errors.New(*text)
}

// number is a number that may be infinite or no number, for which JSON has no numbers: these
// are the strings "+Inf", "-Inf" and "NaN".
type number float64

// MarshalJSON implements [json.Marshaler].
func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsInf(f, 0) || math.IsNaN(f) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(data, &s) != nil {
		return json.Unmarshal(data, (*float64)(n))
	}
	f, err := strconv.ParseFloat(s, 64)
	*n = number(f)
	return err
}
