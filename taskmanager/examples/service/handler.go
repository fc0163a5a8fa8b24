package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// work is what a task does. It reports its progress as a number from 0 to 1.
type work func(ctx context.Context, progress func(done float64)) error

// job is a task. It implements [taskmanager.TaskWithProgress].
type job struct {
	name string
	work work
	done atomic.Uint64 // the bits of a float64: Progress is called while Execute runs
}

func (j *job) Name() string { return j.name }

func (j *job) Execute(ctx context.Context) error {
	return j.work(ctx, func(done float64) { j.done.Store(math.Float64bits(done)) })
}

//nolint:unparam // the interface has an error
func (j *job) Progress() (float64, error) { return math.Float64frombits(j.done.Load()), nil }

func (j *job) Description() string { return "a job of the service" }

// newHandler returns the routes of the service.
func newHandler(m *taskmanager.TaskManager, work work) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /tasks/{name}", func(w http.ResponseWriter, r *http.Request) {
		// The task carries the values of the request's context, such as its trace. The end of
		// the request does not cancel the task.
		h, err := m.Submit(r.Context(), &job{name: r.PathValue("name"), work: work})
		if err != nil {
			refuse(w, err)
			return
		}
		reply(w, http.StatusAccepted, h.Status())
	})
	routes.HandleFunc("GET /tasks/{name}", func(w http.ResponseWriter, r *http.Request) {
		status, ok := find(m, r.PathValue("name"))
		if !ok {
			http.Error(w, "no such task", http.StatusNotFound)
			return
		}
		reply(w, http.StatusOK, status)
	})
	routes.HandleFunc("DELETE /tasks/{name}", func(w http.ResponseWriter, r *http.Request) {
		if !m.Cancel(r.PathValue("name")) {
			http.Error(w, "no such task", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted) // the task ends when its work returns
	})
	return routes
}

// find returns the status of an outstanding task, or else of the last one with that name.
func find(m *taskmanager.TaskManager, name string) (taskmanager.TaskStatus, bool) {
	if h, ok := m.Lookup(name); ok {
		return h.Status(), true
	}
	for _, ended := range slices.Backward(m.History()) {
		if ended.Name == name {
			return ended.TaskStatus, true
		}
	}
	return taskmanager.TaskStatus{}, false
}

// refuse tells the client why a submit failed, and when to try again.
func refuse(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	switch {
	case errors.Is(err, taskmanager.ErrQueueFull):
		code = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "10") // about the time that a task takes
	case errors.Is(err, taskmanager.ErrAlreadyExists):
		code = http.StatusConflict
	case errors.Is(err, taskmanager.ErrStopped):
		code = http.StatusServiceUnavailable
	}
	http.Error(w, err.Error(), code)
}

// reply writes a status as JSON.
func reply(w http.ResponseWriter, code int, s taskmanager.TaskStatus) {
	body := struct {
		Name     string                   `json:"name"`
		Status   taskmanager.WorkerStatus `json:"status"`
		Progress float64                  `json:"progress,omitempty"`
		Error    string                   `json:"error,omitempty"`
	}{Name: s.Name, Status: s.Status, Progress: s.Progress}
	if s.LastError != nil {
		body.Error = s.LastError.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // it fails only if the client has gone
}
