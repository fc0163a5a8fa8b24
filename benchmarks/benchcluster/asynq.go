package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqInterval is how often an idle worker of Asynq looks for tasks: it is not woken. The default, one
// second, would be its latency. The price is in the messages that it sends.
const asynqInterval = 10 * time.Millisecond

// asynqSystem is Asynq with its defaults, except for asynqInterval.
type asynqSystem struct {
	options   asynq.RedisClientOpt
	redis     *redis.Client
	client    *asynq.Client
	inspector *asynq.Inspector
}

// openAsynq opens Asynq with an empty database. appendfsync is the setting of Redis.
func openAsynq(ctx context.Context, address, appendfsync string) (system, error) {
	s := &asynqSystem{
		options: asynq.RedisClientOpt{Addr: address, PoolSize: 2 * slots},
		redis:   redis.NewClient(&redis.Options{Addr: address}),
	}
	err := s.redis.ConfigSet(ctx, "appendfsync", appendfsync).Err()
	if err == nil {
		err = s.redis.FlushAll(ctx).Err()
	}
	if err != nil {
		return nil, errors.Join(err, s.redis.Close())
	}
	s.client, s.inspector = asynq.NewClient(s.options), asynq.NewInspector(s.options)
	return s, nil
}

func (s *asynqSystem) submit(ctx context.Context, name string) error {
	_, err := s.client.EnqueueContext(ctx, asynq.NewTask(kind, []byte(`{}`)), asynq.TaskID(name))
	return err
}

func (s *asynqSystem) submitAll(context.Context, []string) error { return errNoBatches }

// work ignores idleKinds: the kinds of a queue are fetched together.
func (s *asynqSystem) work(_ context.Context, slots, _ int, ran func()) (stop func() error, err error) {
	server := asynq.NewServer(s.options, asynq.Config{
		Concurrency: slots, TaskCheckInterval: asynqInterval,
		Logger: silence{}, LogLevel: asynq.FatalLevel,
	})
	err = server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		ran()
		return nil
	}))
	return func() error {
		server.Shutdown()
		return nil
	}, err
}

// silence is a logger that drops everything.
type silence struct{}

func (silence) Debug(...any) {}
func (silence) Info(...any)  {}
func (silence) Warn(...any)  {}
func (silence) Error(...any) {}
func (silence) Fatal(...any) {}

func (s *asynqSystem) outstanding(context.Context) (int, error) {
	info, err := s.inspector.GetQueueInfo("default")
	if err != nil {
		return 0, err
	}
	return info.Size, nil
}

// messages counts commands; a script is one.
func (s *asynqSystem) messages(ctx context.Context) (int64, error) {
	info, err := s.redis.Info(ctx, "stats").Result()
	if err != nil {
		return 0, err
	}
	const field = "total_commands_processed:"
	for line := range strings.Lines(info) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), field); ok {
			return strconv.ParseInt(count, 10, 64)
		}
	}
	return 0, fmt.Errorf("redis: INFO has no %s", field)
}

func (s *asynqSystem) close() error {
	return errors.Join(s.client.Close(), s.inspector.Close(), s.redis.Close())
}
