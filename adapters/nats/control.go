package nats

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	// statusPart is how many tasks one message of an answer describes, at most.
	statusPart = 500
	// recentIDs is for how many tasks a worker remembers that they have ended there.
	recentIDs = 1024
)

// listen subscribes for the requests that all worker processes answer.
func (w *Worker) listen() error {
	cancels, err1 := w.c.nc.Subscribe(w.c.cancelSubject(), w.answerCancel)
	states, err2 := w.c.nc.Subscribe(w.c.statusSubject(), func(m *natsgo.Msg) {
		go w.answerStatus(m) // it calls methods of tasks, which may take any time: nothing waits for it
	})
	if err := errors.Join(err1, err2); err != nil {
		return wrapf("nats: listen for requests: %w", err)
	}
	w.subs = append(w.subs, cancels, states)
	return nil
}

// answerCancel cancels a task if this process has it, and says whether it does.
func (w *Worker) answerCancel(m *natsgo.Msg) {
	held := w.cancel(string(m.Data))
	if body, err := json.Marshal(cancelAnswer{Process: w.id, Held: held}); err == nil {
		_ = m.Respond(body) // after an error, the asking process counts this one as silent
	}
}

// cancel marks a task as cancelled, and cancels it if this process has it. It reports whether it
// has it, or whether it has ended here just now. A task that was given back is the server's: who cancels it
// removes it, since it may be delivered much later.
func (w *Worker) cancel(id string) bool {
	w.mu.Lock()
	w.cancels[id] = time.Now()
	d := w.byID[id]
	_, recent := w.recent[id]
	has := d != nil && !d.away
	w.mu.Unlock()
	if has {
		d.stop(taskmanager.ErrCancelled)
	}
	return has || recent
}

// watchCancels follows the marks of cancelled tasks until ctx ends. known is closed once all marks of before are
// known.
func (w *Worker) watchCancels(ctx context.Context, watcher jetstream.KeyWatcher, known chan<- struct{}) {
	for wait := firstBackoff; ; {
		for entry := range watcher.Updates() {
			switch {
			case entry == nil && known != nil:
				close(known)
				known = nil
			case entry != nil && entry.Operation() == jetstream.KeyValuePut:
				w.cancel(string(entry.Value()))
			}
		}
		for {
			if !pause(ctx, wait) {
				return
			}
			var err error
			if watcher, err = w.c.cancels.WatchAll(ctx); err == nil {
				wait = firstBackoff
				break
			}
			wait = min(2*wait, mostBackoff)
			w.logs.errorf("cancels", "nats: follow the cancelled tasks: %s", clean(err.Error(), errorLimit))
		}
	}
}

// forgetCancels drops the marks that the server has dropped too.
func (w *Worker) forgetCancels(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.cancels {
		if now.Sub(at) > cancelFor {
			delete(w.cancels, id)
		}
	}
}

// answerStatus describes the task of a name, or all tasks that this process has.
func (w *Worker) answerStatus(m *natsgo.Msg) {
	name := ""
	if len(m.Data) > 0 {
		var err error
		if name, err = decode(string(m.Data)); err != nil {
			return
		}
	}
	parts := [][]taskAnswer{{}}
	size, most := 0, int(w.c.nc.MaxPayload()/2)
	for _, d := range w.submitted(name) {
		s := d.handle.Status()
		s.Description = clean(s.Description, descriptionLimit)
		s.LastError, s.ProgressError = short(s.LastError), short(s.ProgressError)
		task := taskAnswer{ID: d.env.ID, Kind: d.k.name, Level: d.env.Level, Deadline: d.env.Deadline, Status: s}
		body, err := json.Marshal(task)
		if err != nil { // a progress that is not a number
			task.Status.Progress, body = 0, nil
		}
		last := len(parts) - 1
		if size += len(body); len(parts[last]) > 0 && (size > most || len(parts[last]) == statusPart) {
			parts, size = append(parts, nil), len(body)
			last++
		}
		parts[last] = append(parts[last], task)
	}
	for i, tasks := range parts {
		body, err := json.Marshal(statusAnswer{Process: w.id, Part: i, Parts: len(parts), Tasks: tasks})
		if err == nil {
			err = m.Respond(body)
		}
		if err != nil {
			w.logs.errorf("status", "nats: answer a request for the status: %s", clean(err.Error(), errorLimit))
			return
		}
	}
}

// short returns an error with a text that fits into a message.
func short(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(clean(err.Error(), errorLimit))
}

// submitted returns the deliveries that the manager has accepted, that have not ended and whose lease holds: all, or
// those of a name.
func (w *Worker) submitted(name string) (list []*delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for d := range w.held {
		if d.handle != nil && !d.over && !d.lost && (name == "" || d.env.Name == name) {
			list = append(list, d)
		}
	}
	return list
}
