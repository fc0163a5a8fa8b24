package main

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// ours returns package nats in its settings.
func ours(dir string) []contender {
	embedded := func(interval time.Duration) func(context.Context) (system, error) {
		return func(ctx context.Context) (system, error) { return openEmbedded(ctx, dir, interval, shape{}) }
	}
	tcp := func(interval time.Duration, servers int) func(context.Context) (system, error) {
		return func(ctx context.Context) (system, error) {
			return openTCP(ctx, dir, interval, shape{servers: servers})
		}
	}
	return []contender{
		{"**nats, server in the process**", synced, embedded(intervals[synced])},
		{"**nats, TCP**", synced, tcp(intervals[synced], 1)},
		{"**nats, TCP, three servers**", synced, tcp(intervals[synced], 3)},
		{"**nats, server in the process**", delayed, embedded(intervals[delayed])},
		{"**nats, TCP**", delayed, tcp(intervals[delayed], 1)},
	}
}

// rivals returns River and Asynq in their settings. Their servers are started with the first contender.
func rivals(dir string) (all []contender, stop func() error) {
	var pg *postgres
	var rd *redisServer
	stop = func() error {
		var errs []error
		if pg != nil {
			errs = append(errs, pg.stop())
		}
		if rd != nil {
			errs = append(errs, rd.stop())
		}
		return errors.Join(errs...)
	}
	onPostgres := func(synchronousCommit string) func(context.Context) (system, error) {
		return func(ctx context.Context) (_ system, err error) {
			if pg == nil {
				if pg, err = startPostgres(ctx, dir); err != nil {
					return nil, err
				}
			}
			return openRiver(ctx, pg.url(), synchronousCommit)
		}
	}
	onRedis := func(appendfsync string) func(context.Context) (system, error) {
		return func(ctx context.Context) (_ system, err error) {
			if rd == nil {
				if rd, err = startRedis(ctx, dir); err != nil {
					return nil, err
				}
			}
			return openAsynq(ctx, rd.address, appendfsync)
		}
	}
	return []contender{
		{"River, PostgreSQL", synced, onPostgres("on")},
		{"Asynq, Redis, appendfsync always", synced, onRedis("always")},
		{"River, PostgreSQL, synchronous_commit off", delayed, onPostgres("off")},
		{"Asynq, Redis, appendfsync everysec", delayed, onRedis("everysec")},
	}, stop
}

// contenders returns those whose names match.
func contenders(dir string, selected *regexp.Regexp) (all []contender, stop func() error) {
	theirs, stop := rivals(dir)
	for _, c := range append(ours(dir), theirs...) {
		if selected.MatchString(c.name) {
			all = append(all, c)
		}
	}
	return all, stop
}
