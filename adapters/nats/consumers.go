package nats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// checkEvery is how often the consumer of a busy source is looked at. If another process has made it again while
// no request was open, nothing else tells. Of the answers to later requests, the histories are looked up.
const checkEvery = time.Second

// revive makes the consumer of a source again if it has been deleted, and finds out if somebody else has. It reports
// whether the source can be asked.
func (p *puller) revive(ctx context.Context, s *source) bool {
	now := time.Now()
	p.mu.Lock()
	gone, early, idle := s.gone, now.Before(s.retryAt), s.asking() || !s.emptyAt.IsZero() || now.Sub(s.checked) < checkEvery
	p.mu.Unlock()
	if early || !gone && idle {
		return !early
	}
	return p.look(ctx, s, gone)
}

// look looks at the consumer of a source, and makes it if it is gone. It reports whether the source can be asked.
func (p *puller) look(ctx context.Context, s *source, gone bool) bool {
	now := time.Now()
	ctx, stop := p.w.c.limited(ctx, consumerTimeout)
	defer stop()
	made, err := p.w.consumerOf(ctx, s, gone)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		s.fail(time.Now())
		s.gone = s.gone || errors.Is(err, jetstream.ErrConsumerNotFound)
		if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
			p.w.logs.errorf("consumer "+s.durable, "nats: cannot pull tasks of kind %s: %s", quote(s.kind.name), clean(p.w.c.translate(err).Error(), errorLimit))
		}
		return false
	}
	if gone {
		s.gone, s.fails = false, 0
	}
	s.checked = now
	if !made.Equal(s.made) {
		s.made, s.created, s.passed = made, made, 0
	}
	return true
}

// lookAtAll makes the consumers again that have been deleted, when no echo comes. The server does not always say that
// nobody got the echo: somebody else may listen to all subjects.
func (p *puller) lookAtAll(ctx context.Context) {
	if !p.w.c.nc.IsConnected() {
		return
	}
	found := false
	for _, s := range p.sources {
		now := time.Now()
		p.mu.Lock()
		gone, early := s.gone, now.Before(s.retryAt) || !s.gone && now.Sub(s.checked) < checkEvery
		p.mu.Unlock()
		found = !early && p.look(ctx, s, gone) || found
	}
	if found {
		p.echo(time.Now())
	}
}

// consumerOf returns when the consumer of a source was made. With ensure, it is made if it is missing.
func (w *Worker) consumerOf(ctx context.Context, s *source, ensure bool) (time.Time, error) {
	if ensure {
		return w.ensureConsumer(ctx, s)
	}
	c, err := w.c.tasks.Consumer(ctx, s.durable)
	if err != nil {
		return time.Time{}, err
	}
	return c.CachedInfo().Created, nil
}

// ensureConsumer returns when the consumer of a source was made, and makes it if it is missing.
//
// It does not shorten the lease of a consumer while others may use it: they extend their leases by
// the longer one, and would lose them without notice.
func (w *Worker) ensureConsumer(ctx context.Context, s *source) (made time.Time, err error) {
	want := jetstream.ConsumerConfig{
		Durable: s.durable, FilterSubject: s.filter, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: w.c.cfg.lease, MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: 8192,
	}
	if s.limited {
		want.MaxAckPending = s.kind.limit
	}
	c, err := w.c.tasks.Consumer(ctx, s.durable)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return time.Time{}, err
	}
	if err == nil {
		have := c.CachedInfo()
		want.MaxWaiting = have.Config.MaxWaiting // it cannot be changed
		if have.Config.AckWait > want.AckWait && have.NumAckPending+have.NumWaiting > 0 {
			want.AckWait = have.Config.AckWait
			w.logs.errorf("lease "+s.durable, "nats: other workers of kind %s have a lease of %v, so that is how long its tasks wait after a crash; this worker has %v", quote(s.kind.name), want.AckWait, w.c.cfg.lease)
		}
	}
	if c, err = w.c.tasks.CreateOrUpdateConsumer(ctx, want); err != nil {
		return time.Time{}, err
	}
	return c.CachedInfo().Created, nil
}
