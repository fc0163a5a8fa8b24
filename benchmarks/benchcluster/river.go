package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// riverConnections is the size of the pool of connections. More than the goroutines that submit would
// be of no use; with fewer, the commits of parallel submits share fewer syncs of the disk.
const riverConnections = 16

// riverSystem is River. Its settings differ from the defaults where that makes it faster: it fetches up to
// a thousand times a second, jobs have no timers, and batches are inserted with COPY.
type riverSystem struct {
	pool   *pgxpool.Pool
	driver *riverpgxv5.Driver
	insert *river.Client[pgx.Tx]
}

// openRiver opens River with empty tables.
func openRiver(ctx context.Context, url, synchronousCommit string) (system, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = riverConnections
	config.ConnConfig.RuntimeParams["synchronous_commit"] = synchronousCommit
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &riverSystem{pool: pool, driver: riverpgxv5.New(pool)}
	if err := s.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

func (s *riverSystem) prepare(ctx context.Context) error {
	migrator, err := rivermigrate.New(s.driver, &rivermigrate.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	// The tables are as small as at first, and nothing is left to vacuum.
	for _, statement := range []string{"TRUNCATE river_job", "VACUUM ANALYZE river_job"} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	s.insert, err = river.NewClient(s.driver, s.config(nil))
	return err
}

func (s *riverSystem) config(workers *river.Workers) *river.Config {
	return &river.Config{
		Workers:       workers,
		Logger:        quiet(),
		FetchCooldown: river.FetchCooldownMin,
		JobTimeout:    -1,
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

type riverArgs struct {
	Name string `json:"name" river:"unique"`
}

func (riverArgs) Kind() string { return kind }

// riverOptions make a name unique among the jobs that have not ended.
var riverOptions = &river.InsertOpts{UniqueOpts: river.UniqueOpts{
	ByArgs: true,
	ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	},
}}

func (s *riverSystem) submit(ctx context.Context, name string) error {
	result, err := s.insert.Insert(ctx, riverArgs{name}, riverOptions)
	if err == nil && result.UniqueSkippedAsDuplicate {
		err = errors.New("river: the name exists")
	}
	return err
}

func (s *riverSystem) submitAll(ctx context.Context, names []string) error {
	params := make([]river.InsertManyParams, len(names))
	for i, name := range names {
		params[i] = river.InsertManyParams{Args: riverArgs{name}, InsertOpts: riverOptions}
	}
	_, err := s.insert.InsertManyFast(ctx, params)
	return err
}

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	ran func()
}

func (w *riverWorker) Work(context.Context, *river.Job[riverArgs]) error {
	w.ran()
	return nil
}

// work ignores idleKinds: the kinds of a queue are fetched together.
func (s *riverSystem) work(ctx context.Context, slots, _ int, ran func()) (stop func() error, err error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{ran: ran})
	config := s.config(workers)
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}}
	client, err := river.NewClient(s.driver, config)
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return client.Stop(ctx)
	}, nil
}

func (s *riverSystem) outstanding(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE finalized_at IS NULL").Scan(&n)
	return n, err
}

// messages counts transactions.
func (s *riverSystem) messages(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&n)
	return n, err
}

func (s *riverSystem) close() error {
	s.pool.Close()
	return nil
}
