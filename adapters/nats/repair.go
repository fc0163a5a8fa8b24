package nats

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// What one regular audit reads at most.
	auditTasks     = 10_000
	auditHistories = 1_000
	// auditEnds is how many overdue tasks one audit ends: all processes are asked for each of them.
	auditEnds = 100
)

// auditRegularly audits the namespace, and repairs what two audits in a row have found, until ctx ends.
// All processes try; the one that holds the lock does it.
func (w *Worker) auditRegularly(ctx context.Context) {
	tick := time.NewTicker(w.cfg.auditEvery)
	defer tick.Stop()
	lock := auditLock{w: w}
	look := auditor{c: w.c, mostTasks: auditTasks, mostHistories: auditHistories}
	var before auditor
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			lock.release(context.WithoutCancel(ctx))
			return
		}
		if !w.c.nc.IsConnected() || !lock.take(ctx) {
			before = auditor{}
			continue
		}
		err := look.look(ctx)
		if lock.take(ctx) { // the look may have taken longer than the lock lasts
			err = errors.Join(err, w.repair(ctx, &before, &look))
		}
		before = look
		if err != nil && ctx.Err() == nil {
			w.logs.errorf("audit", "nats: audit: %s", clean(err.Error(), errorLimit))
		}
	}
}

// repair repairs what was found before and now.
func (w *Worker) repair(ctx context.Context, before, now *auditor) error {
	var errs []error
	for _, f := range now.unclaimed {
		if slices.ContainsFunc(before.unclaimed, func(b AuditFinding) bool { return b.Kind == f.Kind }) {
			w.logs.errorf("unclaimed "+f.Kind, "nats: no process handles kind %s, and tasks of it wait: %d; start a worker with a handler for it, or cancel them", quote(f.Kind), f.Tasks)
		}
	}
	for _, f := range now.stranded {
		if slices.Contains(before.stranded, f) {
			w.logs.errorf("stranded "+f.Consumer, "nats: consumer %s is made again, since it has lost tasks: %d", f.Consumer, f.Tasks)
			errs = append(errs, w.remake(ctx, f.Consumer))
		}
	}
	for _, o := range now.overdue {
		errs = append(errs, w.endOverdue(ctx, o))
	}
	for _, revision := range now.orphans {
		if slices.Contains(before.orphans, revision) {
			errs = append(errs, w.deleteEntry(ctx, "STATE", revision))
		}
	}
	return errors.Join(errs...)
}

// remake makes a consumer again, which then delivers all tasks that are stored.
func (w *Worker) remake(ctx context.Context, name string) error {
	ctx, stop := context.WithTimeout(ctx, consumerTimeout)
	defer stop()
	c, err := w.c.tasks.Consumer(ctx, name)
	if err != nil {
		return err
	}
	cfg := c.CachedInfo().Config
	cfg.MaxDeliver = -1
	if err := w.c.tasks.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	_, err = w.c.tasks.CreateConsumer(ctx, cfg)
	if errors.Is(err, jetstream.ErrConsumerExists) { // another worker was faster
		return nil
	}
	return err
}

// endOverdue makes a dead letter of an overdue task, if no process has it. A worker to which it is
// delivered meanwhile sees that its time is over, and makes the same dead letter.
func (w *Worker) endOverdue(ctx context.Context, o overdueTask) error {
	answers, silent, err := w.c.askStatus(ctx, o.env.Name)
	if err != nil || len(silent) > 0 {
		return err // perhaps a silent process has it
	}
	for _, a := range answers {
		if len(a.Tasks) > 0 {
			return nil
		}
	}
	h, revision, err := w.c.history(ctx, o.env)
	if err != nil {
		return err
	}
	err = w.storeDead(ctx, deadTask{
		env: o.env, header: o.msg.Header, data: o.msg.Data, seq: o.msg.Sequence, attempts: h.State.Attempts, reason: o.reason,
	})
	if err != nil {
		return err
	}
	if o.env.Result > 0 {
		if err := w.c.putOutcome(ctx, o.env, outcome{Err: o.reason, Process: w.id}); err != nil {
			return err
		}
	}
	if err := w.c.deleteMsg(ctx, w.c.cfg.namespace, o.msg.Sequence); err != nil && !errors.Is(err, errGone) {
		return err
	}
	if revision > 0 {
		return w.deleteEntry(ctx, "STATE", revision)
	}
	return nil
}

// auditLock lets one process at a time audit. It is an entry of the bucket of slots that expires.
type auditLock struct {
	w        *Worker
	revision uint64 // 0: it is not ours
}

// take takes or extends the lock. It reports whether it is ours.
func (l *auditLock) take(ctx context.Context) bool {
	ttl := max(3*l.w.cfg.auditEvery, time.Second)
	revision, err := l.w.publishSlot(ctx, "audit", l.w.id, l.revision, ttl)
	if err != nil {
		l.revision = 0
		return false
	}
	l.revision = revision
	return true
}

// release lets another process audit.
func (l *auditLock) release(ctx context.Context) {
	if l.revision > 0 && l.w.c.nc.IsConnected() {
		ctx, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		_ = l.w.deleteEntry(ctx, "SLOTS", l.revision) // it expires otherwise
	}
}

// wholeSeconds rounds up to what the server can count.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
