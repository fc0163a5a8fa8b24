package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// setUp makes what the worker needs on the server, and subscribes. It pulls nothing.
func (w *Worker) setUp(ctx context.Context) error {
	if w.c.nc.Opts.NoEcho {
		return errors.New("nats: run a worker: it answers questions of clients that use the same connection; connect without natsgo.NoEcho")
	}
	ctx, free := w.untilDrained(ctx)
	defer free()
	ctx, stop := refusable(ctx, w.c.nc)
	defer stop()
	err := w.persist(ctx, "make the consumers", w.prepareSources)
	if err == nil {
		w.asks, err = newAsker(w.c.nc)
	}
	if err == nil {
		err = w.puller.start()
	}
	if err == nil {
		err = w.persist(ctx, "follow the cancelled tasks", w.followCancels)
	}
	if err == nil {
		err = w.listen()
	}
	if err == nil {
		w.began = w.c.clock.now()
		err = w.persist(ctx, "announce the process", w.announceFirst)
	}
	if err = refused(ctx, err); err != nil {
		return wrapf("nats: run a worker: %w", w.c.translate(err))
	}
	return nil
}

// untilDrained returns a context that ends at a call of Drain too.
func (w *Worker) untilDrained(ctx context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-w.drain:
			end(ErrDraining)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil); <-done }
}

// persist calls do again while it fails for a reason that may pass, such as a cluster without a
// leader, until ctx ends.
func (w *Worker) persist(ctx context.Context, doing string, do func(ctx context.Context) error) error {
	for wait := firstBackoff; ; wait = min(2*wait, mostBackoff) {
		attempt, stop := context.WithTimeout(ctx, consumerTimeout)
		err := do(attempt)
		late := attempt.Err() != nil
		stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		passes := transient(err) || late && errors.Is(err, context.DeadlineExceeded)
		if err == nil || !passes {
			return err
		}
		w.logs.errorf("start", "nats: %s: %s; trying again", doing, clean(err.Error(), errorLimit))
		if !pause(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}

// followCancels learns which tasks are cancelled, and keeps learning.
func (w *Worker) followCancels(ctx context.Context) error {
	life, end := context.WithCancel(w.life)
	watcher, err := w.c.cancels.WatchAll(life)
	if err != nil {
		end()
		return wrapf("follow the cancelled tasks: %w", err)
	}
	known := make(chan struct{})
	w.spawn(func() { defer end(); w.watchCancels(life, watcher, known) })
	select {
	case <-known:
		return nil
	case <-ctx.Done():
		end()
		return context.Cause(ctx)
	}
}

// prepareSources makes the consumers and the puller.
func (w *Worker) prepareSources(ctx context.Context) error {
	if _, err := w.c.tasks.Info(ctx); err != nil {
		return err // the stream is gone, or the server is
	}
	w.puller = &puller{w: w, byName: make(map[string]int)}
	for _, level := range levels {
		w.puller.sources = append(w.puller.sources, w.sourcesOf(level)...)
	}
	for i, s := range w.puller.sources {
		w.puller.byName[s.durable] = i
	}
	sources := w.puller.sources
	err := atOnce(len(sources), func(i int) error {
		if sources[i].level != Normal { // each kind has one source of that level
			return nil
		}
		return w.checkLimit(ctx, sources[i].kind)
	})
	if err != nil {
		return err
	}
	err = atOnce(len(sources), func(i int) error {
		s := sources[i]
		made, err := w.ensureConsumer(ctx, s)
		if err != nil {
			return wrapf("consumer %s: %w", s.durable, err)
		}
		s.made, s.created, s.checked = made, made, time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	return w.skipHistories(ctx)
}

// atOnce calls do for 0 to n-1, for several at the same time: in a cluster, each consumer takes some 50 ms. It
// returns the error of the first one in order that failed.
func atOnce(n int, do func(i int) error) error {
	const most = 16
	errs := make([]error, n)
	free := make(chan struct{}, most)
	var group sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			errs[i] = do(i)
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// skipHistories lets the worker take tasks that are older than their consumer without a look at their
// histories, if there is no history at all. Otherwise the first start of a worker would ask for
// one history for each stored task.
func (w *Worker) skipHistories(ctx context.Context) error {
	status, err := w.c.state.Status(ctx)
	if err != nil {
		return wrapf("bucket of histories: %w", err)
	}
	if status.Values() == 0 {
		for _, s := range w.puller.sources {
			s.created = time.Time{}
		}
	}
	return nil
}

// sourcesOf returns the sources of a level, by kinds. A kind with a limit has one source for all
// levels, so that its consumer can count.
func (w *Worker) sourcesOf(level Priority) (list []*source) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.kinds {
		s := &source{kind: k, level: level, limited: k.limit > 0, batch: 1, emptyAt: time.Unix(0, 0), durable: durable(k.name, level.token())}
		s.filter = w.c.cfg.namespace + ".run." + level.token() + "." + encode(k.name) + ".*"
		if s.limited {
			if level != Normal {
				continue
			}
			s.durable = durable(k.name, "")
			s.filter = w.c.cfg.namespace + ".run.*." + encode(k.name) + ".*"
		}
		s.next = "$JS.API.CONSUMER.MSG.NEXT." + w.c.cfg.namespace + "." + s.durable
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *source) int { return strings.Compare(a.durable, b.durable) })
	return list
}

// durable returns the name of a consumer: that of a level of a kind, or, with an empty level, that
// of a kind with a limit. The prefixes differ, so no two kinds share one. Names of consumers cannot
// have a slash.
func durable(kind, level string) string {
	name := strings.ReplaceAll(encode(kind), "/", "=2F")
	if level == "" {
		return "l_" + name
	}
	return "w_" + level + "_" + name
}

// checkLimit removes the consumers of the other layout of a kind, with or without a limit, unless tasks
// may run that they have delivered. Tasks that wait to run again are not lost: what is known of them is stored.
func (w *Worker) checkLimit(ctx context.Context, k *kind) error {
	others := []string{durable(k.name, "")}
	if k.limit > 0 {
		others = nil
		for _, level := range levels {
			others = append(others, durable(k.name, level.token()))
		}
	}
	for _, name := range others {
		c, err := w.c.tasks.Consumer(ctx, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			return wrapf("consumer %s: %w", name, err)
		}
		if c.CachedInfo().NumAckPending > 0 {
			if err := w.checkUnhandled(ctx, k.name); err != nil {
				return err
			}
		}
		if err := w.c.tasks.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return wrapf("consumer %s: %w", name, err)
		}
	}
	return nil
}

// checkUnhandled returns an error that names the processes that handle a kind.
func (w *Worker) checkUnhandled(ctx context.Context, kind string) error {
	all, err := w.c.Processes(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range all {
		if slices.Contains(p.Kinds, kind) {
			names = append(names, p.Name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("the limit of kind %s cannot be introduced or removed while its tasks may run; drain the other workers of the kind first: %s", quote(kind), list(names))
}
