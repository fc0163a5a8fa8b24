package nats

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// layoutVersion is the version of the streams that this package makes and uses.
const layoutVersion = 1

const (
	metaLayout = "taskmanager.layout"
	metaPart   = "taskmanager.part" // which stream of the namespace it is
	partTasks  = "tasks"
	partDead   = "dead"
)

// The times for which the server keeps things.
const (
	dedupeWindow = 2 * time.Minute // in which a repeated message id is recognised
	cancelFor    = time.Hour
	procsFor     = 30 * time.Second // a process is present for that long after its last sign
	markerFor    = time.Second
)

// bindPatiently binds the streams, and waits for a cluster that is about to start. A request may be lost
// there, so an attempt that takes long is made again. It continues with the streams that exist by then.
func (c *Client) bindPatiently(ctx context.Context) error {
	timeout := attemptTimeout
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		one, stop := context.WithTimeout(ctx, timeout)
		err := c.bind(one)
		late := one.Err() != nil && ctx.Err() == nil
		stop()
		switch {
		case err == nil:
			return nil
		case late:
			timeout *= 2
			continue
		case errors.Is(err, natsgo.ErrNoResponders):
			return wrapf("%w: %w", ErrNoJetStream, err)
		case transient(err), hasCode(err, codeNoPeers):
			if pause(ctx, wait) {
				continue
			}
		}
		return c.explain(err)
	}
}

// explain adds what may be the reason for an error of bind.
func (c *Client) explain(err error) error {
	if hasCode(err, codeNoPeers, codeNoCluster) {
		return wrapf("WithReplicas(%d) needs as many running servers of a cluster: %w", c.cfg.replicas, err)
	}
	return c.translate(err)
}

// bind finds the streams of the namespace, or makes them.
//
// The stream of the tasks is made last: where it exists, the others do too, unless somebody
// deleted them. Two processes may make the streams at the same time, since a stream that exists is
// as good as one that was made.
func (c *Client) bind(ctx context.Context) error {
	st, err := c.clock.learnFrom(ctx, c.js, c.cfg.namespace)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if err == nil { // before anything of a newer layout is touched
		if err := c.checkLayout(st.CachedInfo(), partTasks); err != nil {
			return err
		}
	}
	for _, want := range c.streams() {
		st, err := c.ensure(ctx, want)
		if err != nil {
			return err
		}
		switch want.Metadata[metaPart] {
		case partTasks:
			c.tasks = st
		case partDead:
			c.dead = st
		}
	}
	if err != nil { // it did not exist, and so did not tell the time
		if _, err := c.clock.learnFrom(ctx, c.js, c.cfg.namespace); err != nil {
			return err
		}
	}
	return c.bindBuckets(ctx)
}

// pause waits. It returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// bindBuckets opens the buckets, whose streams exist.
func (c *Client) bindBuckets(ctx context.Context) error {
	for part, to := range map[string]*jetstream.KeyValue{
		"STATE": &c.state, "CANCEL": &c.cancels, "RESULTS": &c.results,
		"CRON": &c.cron, "SLOTS": &c.slots, "PROCS": &c.procs,
	} {
		kv, err := c.js.KeyValue(ctx, c.cfg.namespace+"_"+part)
		if err != nil {
			return wrapf("bucket %s_%s: %w", c.cfg.namespace, part, err)
		}
		*to = kv
	}
	return nil
}

// streams returns the streams of the namespace in the order in which they are made.
func (c *Client) streams() []jetstream.StreamConfig {
	ns, replicas := c.cfg.namespace, max(1, c.cfg.replicas)
	deadFor := c.cfg.deadFor
	if deadFor == 0 {
		deadFor = defaultDeadFor
	}
	return []jetstream.StreamConfig{
		bucket(ns, "STATE", replicas, 0, false),
		bucket(ns, "CANCEL", replicas, cancelFor, false),
		bucket(ns, "RESULTS", replicas, 0, true),
		bucket(ns, "CRON", replicas, 0, false),
		bucket(ns, "SLOTS", replicas, 0, true),
		bucket(ns, "PROCS", replicas, procsFor, false),
		{
			Name: ns + "_DEAD", Description: "dead letters", Subjects: []string{ns + ".dead.>"},
			Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: deadFor, Duplicates: dedupeWindow, AllowDirect: true, MaxMsgs: -1, MaxBytes: -1,
			Metadata: metadata(partDead),
		},
		{
			Name: ns, Description: "outstanding tasks", Subjects: []string{ns + ".run.>"},
			Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1,
			MaxMsgs: orUnlimited(c.cfg.maxTasks), MaxBytes: orUnlimited(c.cfg.maxBytes),
			Duplicates: dedupeWindow, AllowDirect: true, AllowAtomicPublish: true,
			Metadata: metadata(partTasks),
		},
	}
}

func orUnlimited(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func metadata(part string) map[string]string {
	return map[string]string{metaLayout: strconv.Itoa(layoutVersion), metaPart: part}
}

// bucket returns the stream of a bucket, as the client of NATS makes it. With keyTTL, each key may
// have a time to live of its own.
func bucket(ns, part string, replicas int, ttl time.Duration, keyTTL bool) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name: "KV_" + ns + "_" + part, Subjects: []string{"$KV." + ns + "_" + part + ".>"},
		Storage: jetstream.FileStorage, Replicas: replicas, Discard: jetstream.DiscardNew,
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxAge: ttl,
		AllowRollup: true, AllowDirect: true, Metadata: metadata(part),
		// Histories and slots are deleted by their sequence, which leaves no marker behind. A marker for each
		// name that ever was would fill the bucket.
		DenyDelete: part != "STATE" && part != "SLOTS",
		Duplicates: dedupeWindow,
	}
	if 0 < ttl && ttl < dedupeWindow {
		cfg.Duplicates = ttl
	}
	if keyTTL {
		cfg.AllowMsgTTL, cfg.SubjectDeleteMarkerTTL = true, markerFor
	}
	return cfg
}

// ensure returns a stream, and makes it if it is missing. It gives an existing one the settings that
// the user has named, and no other ones.
func (c *Client) ensure(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	part := want.Metadata[metaPart]
	st, err := c.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err = c.js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			st, err = c.js.Stream(ctx, want.Name)
		}
	}
	if hasCode(err, codeOverlap) {
		return nil, wrapf("%w: another stream has subjects of stream %q; use another WithNamespace: %w", ErrLayout, want.Name, err)
	}
	if err != nil {
		return nil, wrapf("stream %s: %w", want.Name, err)
	}
	if err := c.checkLayout(st.CachedInfo(), part); err != nil {
		return nil, err
	}
	have := st.CachedInfo().Config
	if !c.adjust(&have, part) {
		return st, nil
	}
	if st, err = c.js.UpdateStream(ctx, have); err != nil {
		return nil, wrapf("stream %s: change its settings: %w", want.Name, err)
	}
	return st, nil
}

// adjust sets what the user has named, and reports whether that changes anything.
func (c *Client) adjust(have *jetstream.StreamConfig, part string) bool {
	changed := false
	set := func(to *int64, value int64) {
		if value != 0 && *to != value {
			*to, changed = value, true
		}
	}
	if n := c.cfg.replicas; n != 0 && have.Replicas != n {
		have.Replicas, changed = n, true
	}
	switch part {
	case partTasks:
		set(&have.MaxMsgs, c.cfg.maxTasks)
		set(&have.MaxBytes, c.cfg.maxBytes)
	case partDead:
		set((*int64)(&have.MaxAge), int64(c.cfg.deadFor))
	}
	return changed
}

// checkLayout returns an ErrLayout for a stream that this package cannot use.
func (c *Client) checkLayout(info *jetstream.StreamInfo, part string) error {
	cfg := info.Config
	version, err := strconv.Atoi(cfg.Metadata[metaLayout])
	switch {
	case err != nil || cfg.Metadata[metaPart] != part:
		return wrapf("%w: stream %q exists and was not made by this package; use another WithNamespace", ErrLayout, cfg.Name)
	case version > layoutVersion:
		return wrapf("%w: stream %q has version %d, and this program knows %d; update the program", ErrLayout, cfg.Name, version, layoutVersion)
	case version < layoutVersion:
		return wrapf("%w: stream %q has the unknown version %d", ErrLayout, cfg.Name, version)
	case part == partTasks && !keepsPromises(cfg, c.cfg.namespace):
		return wrapf("%w: somebody has changed stream %q so that names would not be unique; restore its settings", ErrLayout, cfg.Name)
	}
	return nil
}

// keepsPromises reports whether the stream of the tasks still has the settings on which the
// guarantees rest.
func keepsPromises(cfg jetstream.StreamConfig, ns string) bool {
	return slices.Equal(cfg.Subjects, []string{ns + ".run.>"}) && cfg.Retention == jetstream.WorkQueuePolicy &&
		cfg.Discard == jetstream.DiscardNew && cfg.DiscardNewPerSubject && cfg.MaxMsgsPerSubject == 1 &&
		cfg.AllowAtomicPublish && !cfg.NoAck && cfg.MaxAge == 0
}
