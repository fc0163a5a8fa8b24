package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// origin returns the history for the manager, of a delivery for which account has been called.
func (h history) origin(queued time.Time) restart.State {
	s := h.State
	s.Delay = 0
	s.QueuedAt = queued
	return s
}

// history is what the bucket of states keeps of a task that has run or was given back, under
// encode(name). It belongs to one task: that of its ID.
type history struct {
	ID         string        `json:"id"`
	Seq        uint64        `json:"seq"` // of the task in the stream: that of a later task of the name is higher
	State      restart.State `json:"state"`
	NotBefore  int64         `json:"not_before,omitempty"` // Unix time in ns by the server's clock; 0: at once
	Deliveries uint64        `json:"deliveries"`           // those that are accounted for
	Crashes    int           `json:"crashes,omitempty"`    // in a row, up to the accounted deliveries
	Alone      bool          `json:"alone,omitempty"`      // the execution of the last accounted delivery has begun; see crash.go
	Unseen     int           `json:"-"`                    // ends of deliveries that may be crashes and are not counted
	Tries      int           `json:"tries,omitempty"`      // vain attempts to start, for want of a slot or the name, or as a suspect
	Decodes    int           `json:"decodes,omitempty"`    // failures to read the payload
	Trace      string        `json:"trace,omitempty"`      // traceparent of the last execution
	Err        string        `json:"err,omitempty"`        // why it was given back, if no execution says so
	Dead       string        `json:"dead,omitempty"`       // why it is dead, if the dead letter could not be stored yet
}

// stateTimeout bounds each request for a history.
const stateTimeout = 5 * time.Second

// errSuperseded is the error of a record that a newer one has replaced: of a later task of the
// name, or of a later delivery.
var errSuperseded = errors.New("nats: a later delivery has the task, or a later task the name")

// readHistory loads the history of the task of a delivery, which stays empty if there is none. After
// an error nothing is known.
func (d *delivery) readHistory(ctx context.Context) error {
	if d.read {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	value, revision, err := d.w.entry(ctx, "STATE", encode(d.env.Name))
	if err != nil {
		return fmt.Errorf("nats: read the history of task %s: %w", quote(d.env.Name), err)
	}
	d.read, d.rev = true, revision
	var h history
	if revision == 0 || json.Unmarshal(value, &h) != nil {
		return nil // without a valid history, the task begins anew
	}
	if h.Seq > d.seq {
		return d.superseded(ctx)
	}
	if h.ID == d.env.ID && h.Seq == d.seq && h.State.Validate() == nil {
		d.hist = h
	}
	return nil
}

// superseded returns errSuperseded if the task is not stored any more. Otherwise the history with a higher
// sequence is left over from a stream that was deleted and made again.
func (d *delivery) superseded(ctx context.Context) error {
	stored, err := d.w.c.hasTask(ctx, d.seq, d.env.Name)
	if err == nil && !stored {
		err = errSuperseded
	}
	return err
}

// hasTask reports whether the task of a name is stored with a sequence. It asks the leader.
func (c *Client) hasTask(ctx context.Context, seq uint64, name string) (bool, error) {
	if seq == 0 {
		return false, nil
	}
	var answer struct {
		Message struct {
			Subject string `json:"subject"`
		} `json:"message"`
	}
	err := c.ask(ctx, "STREAM.MSG.GET."+c.cfg.namespace, map[string]uint64{"seq": seq}, &answer)
	if hasCode(err, jetstream.JSErrCodeMessageNotFound) {
		return false, nil
	}
	if err != nil {
		return false, c.translate(err)
	}
	_, _, stored, err := c.parseSubject(answer.Message.Subject)
	return err == nil && stored == name, nil
}

// entry returns the value of a key and its revision, or the revision 0, as the leader has it: another
// server of a cluster may not have what was stored a moment ago.
func (w *Worker) entry(ctx context.Context, part, key string) ([]byte, uint64, error) {
	bucket := w.c.cfg.namespace + "_" + part
	var answer struct {
		Message struct {
			Data []byte `json:"data"`
			Seq  uint64 `json:"seq"`
		} `json:"message"`
	}
	err := w.c.ask(ctx, "STREAM.MSG.GET.KV_"+bucket, map[string]string{"last_by_subj": "$KV." + bucket + "." + key}, &answer)
	if hasCode(err, jetstream.JSErrCodeMessageNotFound) {
		return nil, 0, nil
	}
	return answer.Message.Data, answer.Message.Seq, err
}

// writeHistory stores the history of the task of a delivery. It never replaces that of a later task of the name.
// After an error the delivery must not be given back: it would count as a crash then, or run
// too early. The lease ends by itself.
func (d *delivery) writeHistory(ctx context.Context) error {
	d.hist.ID, d.hist.Seq = d.env.ID, d.seq
	d.w.mu.Lock()
	d.hist.Deliveries = max(d.hist.Deliveries, d.again)
	d.w.mu.Unlock()
	value, err := json.Marshal(d.hist)
	if err != nil {
		return err
	}
	key := encode(d.env.Name)
	for range 3 {
		revision, err := d.putHistory(ctx, key, value)
		if err == nil {
			d.rev = revision
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
			return fmt.Errorf("nats: store the history of task %s: %w", quote(d.env.Name), err)
		}
		// Another worker has written, or this is the first record here: learn the revision.
		mine := d.hist
		d.hist, d.read, d.rev = history{}, false, 0
		if err := d.readHistory(ctx); err != nil {
			return err
		}
		newer := d.hist.Deliveries > mine.Deliveries
		if d.hist = mine; newer { // this process was paused meanwhile
			return errSuperseded
		}
	}
	return fmt.Errorf("nats: store the history of task %s: others store it at the same time", quote(d.env.Name))
}

func (d *delivery) putHistory(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	if d.rev == 0 {
		return d.w.c.state.Create(ctx, key, value)
	}
	return d.w.c.state.Update(ctx, key, value, d.rev)
}

// dropHistory removes the history of a task that has ended, unless it has changed since. What is
// left over, the audit removes.
func (d *delivery) dropHistory(ctx context.Context) {
	if d.rev == 0 {
		return
	}
	if err := d.w.deleteEntry(ctx, "STATE", d.rev); err != nil {
		d.w.logs.errorf("drop", "nats: remove the history of task %s: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
}

// deleteEntry removes one revision of a key from a bucket. It leaves no marker, and removes nothing if
// the key has another revision now.
func (w *Worker) deleteEntry(ctx context.Context, bucket string, revision uint64) error {
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	err := w.c.deleteMsg(ctx, "KV_"+w.c.cfg.namespace+"_"+bucket, revision)
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}
