package nats

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Kinds returns the numbers of tasks and dead letters of each kind, sorted by kind. It includes
// kinds that have outstanding tasks, dead letters, or have ever had workers. The numbers are read
// one after the other, so in a busy namespace they differ a little from those of a single moment.
//
// The cost is linear in the number of dead letters. If there are tasks of kinds that never had a
// worker, it is also linear in the number of outstanding tasks.
func (c *Client) Kinds(ctx context.Context) ([]KindInfo, error) {
	if err := checkClient(ctx, c, "kinds"); err != nil {
		return nil, err
	}
	kinds := map[string]*KindInfo{}
	if err := c.addConsumers(ctx, kinds); err != nil {
		return nil, wrapf("nats: kinds: %w", err)
	}
	if err := c.addUnclaimed(ctx, kinds); err != nil {
		return nil, wrapf("nats: kinds: %w", err)
	}
	if err := c.addDead(ctx, kinds); err != nil {
		return nil, wrapf("nats: kinds: %w", err)
	}
	out := make([]KindInfo, 0, len(kinds))
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, *kinds[k])
	}
	return out, nil
}

// kindIn returns the entry of a kind, and makes it.
func kindIn(kinds map[string]*KindInfo, kind string) *KindInfo {
	k := kinds[kind]
	if k == nil {
		k = &KindInfo{Kind: kind}
		kinds[kind] = k
	}
	return k
}

// addConsumers adds what the consumers count.
func (c *Client) addConsumers(ctx context.Context, kinds map[string]*KindInfo) error {
	all, err := c.consumers(ctx)
	if err != nil {
		return err
	}
	for _, info := range all {
		kind, ok := c.consumerKind(info.Config.FilterSubject)
		if !ok {
			continue // not one of ours
		}
		k := kindIn(kinds, kind)
		k.HasConsumer = true
		k.Waiting += info.NumPending
		k.Running += uint64(max(0, info.NumAckPending))
	}
	return nil
}

// consumers returns what the server knows about all consumers of tasks.
func (c *Client) consumers(ctx context.Context) (all []*jetstream.ConsumerInfo, err error) {
	err = c.again(ctx, func(ctx context.Context) error {
		list := c.tasks.ListConsumers(ctx)
		all = all[:0]
		for info := range list.Info() {
			all = append(all, info)
		}
		if err := list.Err(); !errors.Is(err, jetstream.ErrEndOfData) {
			return err
		}
		return nil
	})
	return all, c.translate(err)
}

// consumerKind returns the kind of a consumer, by its filter.
func (c *Client) consumerKind(filter string) (string, bool) {
	rest, ok := strings.CutPrefix(filter, c.cfg.namespace+".run.")
	t := strings.Split(rest, ".")
	if !ok || len(t) != 3 {
		return "", false
	}
	kind, err := decode(t[1])
	return kind, err == nil
}

// addUnclaimed adds the tasks of kinds for which no worker has ever asked. It reads the subjects of all
// tasks, but only if there are more tasks than the consumers know.
func (c *Client) addUnclaimed(ctx context.Context, kinds map[string]*KindInfo) error {
	known := uint64(0)
	for _, k := range kinds {
		known += k.Waiting + k.Running
	}
	state, err := c.count(ctx, c.tasks)
	if err != nil {
		return err
	}
	if state.Msgs <= known {
		return nil
	}
	subjects, err := c.subjects(ctx, c.tasks, c.cfg.namespace+".run.>")
	if err != nil {
		return err
	}
	for s, n := range subjects {
		if _, kind, _, err := c.parseSubject(s); err == nil && !kindIn(kinds, kind).HasConsumer {
			kinds[kind].Waiting += n
		}
	}
	return nil
}

// addDead counts the dead letters.
func (c *Client) addDead(ctx context.Context, kinds map[string]*KindInfo) error {
	subjects, err := c.subjects(ctx, c.dead, c.deadFilter(""))
	if err != nil {
		return err
	}
	for s, n := range subjects {
		if kind, _, err := c.parseDeadSubject(s); err == nil {
			kindIn(kinds, kind).Dead += n
		}
	}
	return nil
}
