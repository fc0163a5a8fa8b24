package nats

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// slot is one of the places of a key with a limit: an entry of the bucket of slots, which one worker can
// create. It expires like a lease, and is extended with the lease.
type slot struct {
	subject string

	// The delivery's field sending guards these.
	revision uint64
	asked    bool // an extension is on its way, so the revision may be an old one
	freed    bool // the slot is to be removed when its revision is known
}

const (
	firstSlotWait = 100 * time.Millisecond
	mostSlotWait  = 5 * time.Second
)

// slotTTL is the time to live of a slot. The server counts in whole seconds.
func (w *Worker) slotTTL() time.Duration {
	return (w.c.cfg.lease + time.Second - 1).Truncate(time.Second)
}

// takeSlot takes a slot of the key of the task. It returns false if all are taken, or with an error.
func (d *delivery) takeSlot(ctx context.Context) (bool, error) {
	n := d.k.keyLimit
	prefix := "$KV." + d.w.c.cfg.namespace + "_SLOTS." + encode(d.k.name) + "." + encode(d.env.Key) + "."
	first := rand.N(n)
	for i := range n {
		s := &slot{subject: prefix + strconv.Itoa((first+i)%n)}
		m := &natsgo.Msg{Subject: s.subject, Data: []byte(d.env.ID)}
		revision, err := d.w.publishSlot(ctx, m)
		switch {
		case err == nil:
			s.revision = revision
			d.sending.Lock()
			d.slot = s
			d.sending.Unlock()
			return true, nil
		case !hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant):
			return false, err
		}
	}
	return false, nil
}

func (w *Worker) publishSlot(ctx context.Context, m *natsgo.Msg) (uint64, error) {
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	ack, err := w.c.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithMsgTTL(w.slotTTL()))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// waitForSlot gives a task back whose key has no free slot, or for which that could not be found out.
func (d *delivery) waitForSlot(ctx context.Context, err error) {
	if err != nil {
		d.w.logs.errorf("slot", "nats: take a slot for the key of task %s: %s", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
	d.hist.Tries++
	d.giveBack(ctx, slotWait(d.hist.Tries))
}

// slotWait returns how long a task waits after so many vain attempts to get a slot.
func slotWait(tries int) time.Duration {
	most := min(firstSlotWait<<min(max(tries, 1)-1, 10), mostSlotWait)
	return most/2 + rand.N(most/2)
}

// extendSlotLocked extends the slot of the delivery, if it has one. The lock sending is held.
func (d *delivery) extendSlotLocked() {
	s := d.slot
	if s == nil || s.asked || s.freed {
		return
	}
	s.asked = true
	m := &natsgo.Msg{Subject: s.subject, Data: []byte(d.env.ID), Header: natsgo.Header{
		"Nats-Expected-Last-Subject-Sequence": {strconv.FormatUint(s.revision, 10)},
		"Nats-TTL":                            {d.w.slotTTL().String()},
	}}
	// The answer may come while the lock is held, so it is handled elsewhere.
	d.w.asks.send(m, settleTimeout, func(answer *natsgo.Msg) { d.w.spawn(func() { d.slotExtended(answer) }) })
}

// slotExtended handles the answer to extendSlotLocked. Without an answer the revision may be unknown; the
// slot is then left to expire.
func (d *delivery) slotExtended(answer *natsgo.Msg) {
	var ack struct {
		Seq uint64 `json:"seq"`
	}
	if answer != nil {
		_ = json.Unmarshal(answer.Data, &ack) // without a sequence the slot is left to expire
	}
	d.sending.Lock()
	s := d.slot
	s.asked = false
	if ack.Seq > 0 {
		s.revision = ack.Seq
	}
	freed, revision := s.freed, s.revision
	d.sending.Unlock()
	if freed {
		d.removeSlot(d.w.life, revision)
	}
}

// releaseSlot frees the slot of the delivery, if it has one.
func (d *delivery) releaseSlot(ctx context.Context) {
	d.sending.Lock()
	s := d.slot
	if s == nil || s.freed {
		d.sending.Unlock()
		return
	}
	s.freed = true
	asked, revision := s.asked, s.revision
	d.sending.Unlock()
	if !asked {
		d.removeSlot(ctx, revision)
	}
}

func (d *delivery) removeSlot(ctx context.Context, revision uint64) {
	if err := d.w.deleteEntry(ctx, "SLOTS", revision); err != nil {
		d.w.logs.errorf("slot", "nats: free the slot of task %s: %s; it expires", quote(d.env.Name), clean(err.Error(), errorLimit))
	}
}
