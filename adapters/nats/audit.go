package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Audit is the result of [Client.Audit]: the faults of a namespace. It is empty if there are none.
type Audit struct {
	// Stranded are tasks that their consumer has lost: they are stored, but it counts them neither as
	// waiting nor as delivered, and so never delivers them. A fault of the server may cause that. When
	// two audits in a row find the same, a worker re-creates the consumer. The new consumer also
	// delivers tasks that are running, which then run twice.
	Stranded []AuditFinding
	// Unclaimed are tasks of kinds that no process handles now. They wait. Consumer is empty if no
	// process has ever handled the kind.
	Unclaimed []AuditFinding
	// Overdue are the names of tasks whose deadline or queue timeout has passed, and that have not
	// been delivered since. Workers make dead letters of them.
	Overdue []string
	// Orphans is the number of histories (records of earlier executions) whose tasks have ended.
	// Workers delete them.
	Orphans int
}

// AuditFinding is a number of tasks of a kind.
type AuditFinding struct {
	Kind     string // of a message that is not a task, the subject
	Consumer string // the name of the consumer, or empty if there is none
	Tasks    uint64
}

// Audit looks for faults in the namespace, and changes nothing. Worker processes run audits of
// their own regularly, one process at a time; see [WithAuditEvery]. These repair a fault that two
// audits in a row have found, and end overdue tasks at once. The numbers are read one after the
// other, so a single audit of a busy namespace may report tasks as stranded that are not.
//
// The cost is linear in the number of tasks, including their payloads, and of histories. A regular
// audit reads at most 10,000 tasks and 1,000 histories, and the next one continues where it
// stopped.
func (c *Client) Audit(ctx context.Context) (Audit, error) {
	if err := checkClient(ctx, c, "audit"); err != nil {
		return Audit{}, err
	}
	a := auditor{c: c, mostTasks: -1, mostHistories: -1}
	if err := a.look(ctx); err != nil {
		return Audit{}, wrapf("nats: audit: %w", err)
	}
	out := Audit{Stranded: a.stranded, Unclaimed: a.unclaimed, Orphans: len(a.orphans)}
	for _, o := range a.overdue {
		out.Overdue = append(out.Overdue, o.env.Name)
	}
	slices.Sort(out.Overdue)
	return out, nil
}

// auditor looks for faults. Its findings stay until the next look.
type auditor struct {
	c             *Client
	mostTasks     int // of which the times are checked in one look; -1: all
	mostHistories int
	nextTask      uint64 // the sequence where the next look begins
	nextHistory   uint64

	passed    map[string]uint64 // up to which sequence the consumers have delivered, by their filters
	stranded  []AuditFinding
	unclaimed []AuditFinding
	overdue   []overdueTask
	orphans   []uint64 // revisions
}

// overdueTask is a stored task whose time is over.
type overdueTask struct {
	env    envelope
	msg    *jetstream.RawStreamMsg
	reason string
}

// look replaces the findings. Those before an error are valid.
func (a *auditor) look(ctx context.Context) error {
	a.passed, a.stranded, a.unclaimed, a.overdue, a.orphans = nil, nil, nil, nil, nil
	return errors.Join(a.count(ctx), a.findRetired(ctx), a.findOverdue(ctx), a.findOrphans(ctx))
}

// findRetired adds the tasks of kinds that had workers and have none now.
func (a *auditor) findRetired(ctx context.Context) error {
	present, err := a.c.Processes(ctx)
	if err != nil {
		return err
	}
	handled := map[string]bool{}
	for _, p := range present {
		for _, k := range p.Kinds {
			handled[k] = true
		}
	}
	list, _, err := a.consumers(ctx)
	if err != nil {
		return err
	}
	for _, info := range list {
		kind, _ := a.c.consumerKind(info.Config.FilterSubject)
		if n := counted(info); n > 0 && !handled[kind] {
			a.unclaimed = append(a.unclaimed, AuditFinding{Kind: kind, Consumer: info.Name, Tasks: n})
		}
	}
	slices.SortFunc(a.unclaimed, byKind)
	return nil
}

func byKind(x, y AuditFinding) int {
	return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Consumer, y.Consumer))
}

// consumers returns the consumers of tasks.
func (a *auditor) consumers(ctx context.Context) (list []*jetstream.ConsumerInfo, known uint64, err error) {
	ctx, stop := bounded(ctx)
	defer stop()
	lister := a.c.tasks.ListConsumers(ctx)
	for info := range lister.Info() {
		if _, ok := a.c.consumerKind(info.Config.FilterSubject); ok {
			list = append(list, info)
			known += counted(info)
		}
	}
	if err := lister.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, 0, a.c.translate(err)
	}
	return list, known, nil
}

// counted returns how many tasks a consumer knows.
func counted(info *jetstream.ConsumerInfo) uint64 {
	return info.NumPending + uint64(max(0, info.NumAckPending))
}

// Several counts tell a loss, which is in each of them, from tasks that come and go between the
// requests of a count.
const (
	counts      = 8
	betweenThem = 60 * time.Millisecond
)

// count compares the tasks that are stored with those that the consumers know. It lists the subjects
// only if the sums differ.
func (a *auditor) count(ctx context.Context) error {
	for i := range counts {
		stranded, unclaimed := a.stranded, a.unclaimed
		if err := a.countOnce(ctx); err != nil {
			a.stranded, a.unclaimed = nil, nil
			return err
		}
		if i > 0 {
			a.stranded, a.unclaimed = least(stranded, a.stranded), least(unclaimed, a.unclaimed)
		}
		if len(a.stranded)+len(a.unclaimed) == 0 {
			return nil
		}
		if !pause(ctx, betweenThem) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// least returns what is in both lists, with the smaller number.
func least(a, b []AuditFinding) (list []AuditFinding) {
	for _, f := range a {
		for _, g := range b {
			if f.Kind == g.Kind && f.Consumer == g.Consumer {
				f.Tasks = min(f.Tasks, g.Tasks)
				list = append(list, f)
			}
		}
	}
	return list
}

// countOnce replaces what is found by counting.
func (a *auditor) countOnce(ctx context.Context) error {
	a.stranded, a.unclaimed = nil, nil
	before, known, err := a.consumers(ctx)
	if err != nil {
		return err
	}
	a.passed = map[string]uint64{}
	for _, info := range before {
		a.passed[info.Config.FilterSubject] = info.Delivered.Stream
	}
	one, stop := bounded(ctx)
	info, err := a.c.tasks.Info(one)
	stop()
	if err != nil {
		return a.c.translate(err)
	}
	if info.State.Msgs <= known {
		return nil
	}
	subjects, err := a.c.subjects(ctx, a.c.tasks, a.c.cfg.namespace+".run.>")
	if err != nil {
		return err
	}
	after, _, err := a.consumers(ctx)
	if err != nil {
		return err
	}
	a.compare(subjects, before, after)
	return nil
}

// compare finds the kinds and consumers of which more tasks are stored than the consumers knew before
// and after the subjects were listed.
func (a *auditor) compare(subjects map[string]uint64, before, after []*jetstream.ConsumerInfo) {
	type place struct {
		level Priority
		kind  string
	}
	stored := map[place]uint64{}
	for s, n := range subjects {
		level, kind, _, err := a.c.parseSubject(s)
		if err != nil {
			kind = s // no version of this package makes such a subject
		}
		stored[place{level, kind}] += n
	}
	knew := map[string]uint64{}
	for _, info := range before {
		knew[info.Name] = counted(info)
	}
	for _, info := range after {
		kind, _ := a.c.consumerKind(info.Config.FilterSubject)
		n := uint64(0)
		for _, level := range levels {
			if info.Name == durable(kind, level.token()) || info.Name == durable(kind, "") {
				n += stored[place{level, kind}]
				delete(stored, place{level, kind})
			}
		}
		if most := max(counted(info), knew[info.Name]); n > most {
			a.stranded = append(a.stranded, AuditFinding{Kind: kind, Consumer: info.Name, Tasks: n - most})
		}
	}
	unclaimed := map[string]uint64{}
	for p, n := range stored {
		unclaimed[p.kind] += n
	}
	for kind, n := range unclaimed {
		a.unclaimed = append(a.unclaimed, AuditFinding{Kind: kind, Tasks: n})
	}
	slices.SortFunc(a.stranded, byKind)
	slices.SortFunc(a.unclaimed, byKind)
}

// findOverdue looks for tasks whose time is over, from where it stopped the last time.
func (a *auditor) findOverdue(ctx context.Context) error {
	if a.passed == nil { // it is not known what was delivered
		return nil
	}
	now := a.c.clock.now()
	read := 0
	for m, err := range a.c.messagesFrom(ctx, a.c.cfg.namespace, a.c.cfg.namespace+".run.>", a.nextTask) {
		if err != nil {
			return err
		}
		if read++; a.mostTasks >= 0 && read > a.mostTasks {
			a.nextTask = m.Sequence
			return nil
		}
		env, err := a.c.parse(m.Subject, m.Header)
		if err != nil || env.Deadline.IsZero() && env.QueueTimeout == 0 {
			continue
		}
		reason, err := a.overdueFor(ctx, env, m.Sequence, m.Time, now)
		if err != nil {
			return err
		}
		if reason == "" {
			continue
		}
		if a.mostTasks < 0 {
			m = nil // only the name is of interest
		} else if len(a.overdue) == auditEnds {
			a.nextTask = m.Sequence
			return nil
		}
		a.overdue = append(a.overdue, overdueTask{env, m, reason})
	}
	a.nextTask = 0
	return nil
}

// overdueFor returns why the time of a task is over, or an empty text. A task that was delivered is not
// looked at, since a worker may run it and the next one to which it is delivered finds out, unless it waits for a
// time to come.
func (a *auditor) overdueFor(ctx context.Context, env envelope, seq uint64, stored, now time.Time) (string, error) {
	h, _, err := a.c.history(ctx, env)
	if err != nil {
		return "", err
	}
	due := later(env.NotBefore, time.Unix(0, h.NotBefore))
	if delivered, err := a.delivered(ctx, env, seq); err != nil || delivered && due.Before(now.Add(a.c.cfg.lease)) {
		return "", err
	}
	now = now.Add(-a.c.cfg.lease) // workers may find out themselves
	switch {
	case !env.Deadline.IsZero() && env.Deadline.Before(now):
		return reasonDeadline, nil
	case env.QueueTimeout == 0 || h.State.Attempts > 0 || now.Sub(later(stored, env.NotBefore)) < env.QueueTimeout:
		return "", nil
	}
	return reasonQueueTimeout, nil
}

// delivered reports whether a task may have been delivered.
func (a *auditor) delivered(ctx context.Context, env envelope, seq uint64) (bool, error) {
	known := false
	for level, name := range map[string]string{
		env.Level.token(): durable(env.Kind, env.Level.token()),
		"*":               durable(env.Kind, ""),
	} {
		filter := a.c.cfg.namespace + ".run." + level + "." + encode(env.Kind) + ".*"
		passed, ok := a.passed[filter]
		if !ok && !known { // in a cluster, the list leaves out consumers without a leader
			one, stop := bounded(ctx)
			c, err := a.c.tasks.Consumer(one, name)
			stop()
			if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return false, a.c.translate(err)
			}
			if ok = err == nil; ok {
				passed = c.CachedInfo().Delivered.Stream
			}
			a.passed[filter] = passed
		}
		known = known || ok
		if seq <= passed {
			return true, nil
		}
	}
	return false, nil
}

// findOrphans looks for histories of tasks that are not stored, from where it stopped the last time.
func (a *auditor) findOrphans(ctx context.Context) error {
	bucket := a.c.cfg.namespace + "_STATE"
	read := 0
	for m, err := range a.c.messagesFrom(ctx, "KV_"+bucket, "$KV."+bucket+".>", a.nextHistory) {
		if err != nil {
			return err
		}
		if read++; a.mostHistories >= 0 && read > a.mostHistories {
			a.nextHistory = m.Sequence
			return nil
		}
		orphan, err := a.orphan(ctx, m, bucket)
		if err != nil {
			return err
		}
		if !orphan {
			continue
		}
		a.orphans = append(a.orphans, m.Sequence)
	}
	a.nextHistory = 0
	return nil
}

// orphan reports whether the task of an entry of the bucket of histories is not stored.
func (a *auditor) orphan(ctx context.Context, m *jetstream.RawStreamMsg, bucket string) (bool, error) {
	name, err := decode(strings.TrimPrefix(m.Subject, "$KV."+bucket+"."))
	var h history
	if err != nil || len(m.Data) == 0 || json.Unmarshal(m.Data, &h) != nil {
		return true, nil
	}
	stored, err := a.c.hasTask(ctx, h.Seq, name)
	return !stored, err
}
