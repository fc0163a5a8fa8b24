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
	key string

	// The delivery's field sending guards these.
	revision uint64
	asked    bool // an extension is on its way, so the revision may be an old one
	freed    bool // the slot is to be removed when its revision is known
}

const (
	firstSlotWait = 100 * time.Millisecond
	mostSlotWait  = 5 * time.Second
)

// takeSlot takes a slot of the key of the task. It returns false if all are taken, or with an error.
func (d *delivery) takeSlot(ctx context.Context) (bool, error) {
	n := d.k.keyLimit
	prefix := encode(d.k.name) + "." + encode(d.env.Key) + "."
	first := rand.N(n)
	for i := range n {
		s := &slot{key: prefix + strconv.Itoa((first+i)%n)}
		revision, err := d.w.publishSlot(ctx, s.key, d.env.ID, 0, d.w.c.cfg.lease)
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

// slotMessage returns the message that creates an entry of the bucket of slots, with the revision 0, or extends it.
func (w *Worker) slotMessage(key, value string, revision uint64, ttl time.Duration) *natsgo.Msg {
	return &natsgo.Msg{Subject: "$KV." + w.c.cfg.namespace + "_SLOTS." + key, Data: []byte(value), Header: natsgo.Header{
		headExpectedSeq: {strconv.FormatUint(revision, 10)},
		"Nats-TTL":      {wholeSeconds(ttl).String()},
	}}
}

// publishSlot creates or extends an entry of the bucket of slots, and returns its new revision.
func (w *Worker) publishSlot(ctx context.Context, key, value string, revision uint64, ttl time.Duration) (uint64, error) {
	ctx, stop := context.WithTimeout(ctx, stateTimeout)
	defer stop()
	ack, err := w.c.js.PublishMsg(ctx, w.slotMessage(key, value, revision, ttl))
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
	m := d.w.slotMessage(s.key, d.env.ID, s.revision, d.w.c.cfg.lease)
	// The answer may come while the lock is held, so it is handled elsewhere.
	d.w.asks.send(m, settleTimeout, func(answer *natsgo.Msg) { d.w.spawn(func() { d.slotExtended(answer) }) })
}

// slotExtended handles the answer to extendSlotLocked. Without an answer the revision may be another one now, so
// it is looked up.
func (d *delivery) slotExtended(answer *natsgo.Msg) {
	var ack struct {
		Seq uint64 `json:"seq"`
	}
	if answer == nil || json.Unmarshal(answer.Data, &ack) != nil || ack.Seq == 0 {
		ack.Seq = d.findSlot(d.w.life)
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

// findSlot returns the revision of the slot of the delivery, which it creates again if it has expired. It returns
// 0 if it does not succeed.
func (d *delivery) findSlot(ctx context.Context) uint64 {
	value, revision, err := d.w.entry(ctx, "SLOTS", d.slot.key)
	if err == nil && revision > 0 && string(value) == d.env.ID {
		return revision
	}
	if err == nil && len(value) == 0 {
		if revision, err = d.w.publishSlot(ctx, d.slot.key, d.env.ID, revision, d.w.c.cfg.lease); err == nil {
			return revision
		}
	}
	d.w.logs.errorf("slot", "nats: the slot of task %s cannot be extended; another task of its key may start", quote(d.env.Name))
	return 0
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
