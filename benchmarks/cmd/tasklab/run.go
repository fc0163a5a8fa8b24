package main

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// job is one run.
type job struct {
	manager *taskmanager.TaskManager
	bench   *workbench
	results *results
	pending sync.WaitGroup // a goroutine for each outstanding task
	abandon chan struct{}  // closed when the outstanding tasks are waited for no more
	start   time.Time
	counted atomic.Int64 // files that the count has seen; see count
}

// run reads all files and shows on d how far it is. If ctx ends, it reports what
// was done.
func run(ctx context.Context, cfg runConfig, files fs.FS, d display) (report, error) {
	j := &job{results: newResults(), abandon: make(chan struct{}), start: time.Now()}
	var err error
	j.manager, err = taskmanager.Start(
		taskmanager.WithWorkers(cfg.min, cfg.max),
		taskmanager.WithIdleTimeout(cfg.idleTimeout),
		taskmanager.WithQueue(cfg.queue.value),
		taskmanager.WithLimit(cfg.limit, cfg.overflow.value),
	)
	if err != nil {
		return report{}, fmt.Errorf("tasklab: %w", err)
	}
	j.bench = newWorkbench(files, cfg.retries, func() int { return j.manager.Snapshot().Workers })

	// An interrupt is for finish to deal with, but the walk comes to that only if a
	// file which it reads itself is interrupted too. As ctx has ended then, this
	// waits for nothing.
	defer context.AfterFunc(ctx, func() { _ = j.manager.Stop(ctx) })()

	hide := show(d, j.view)
	counting := j.count(ctx, d.wantsTotal())
	walkErr := j.feed(ctx)
	elapsed, stopErr := j.finish(ctx, cfg.grace)
	counting.Wait()
	hide()

	rep := j.report(cfg, elapsed)
	rep.Interrupted = ctx.Err() != nil
	switch {
	case stopErr != nil:
		return rep, fmt.Errorf("tasklab: %w", stopErr)
	case walkErr != nil && !rep.Interrupted:
		return rep, walkErr
	}
	return rep, nil
}

// feed walks the files and submits a task for each. What it does while the queue
// is full is for the overflow policy to say.
func (j *job) feed(ctx context.Context) error {
	return walk(ctx, j.bench.files, visitor{
		file:    func(path string, entry fs.DirEntry) error { return j.submit(ctx, path, entry) },
		skipped: j.results.skipped,
		failed:  j.results.unreadable,
	})
}

// submit hands a file to the manager, and notes the end of its task when it
// comes.
func (j *job) submit(ctx context.Context, path string, entry fs.DirEntry) error {
	t := &fileTask{workbench: j.bench, path: path, entry: entry, submitted: time.Now()}
	j.results.found(t)
	h, err := j.manager.Submit(ctx, t)
	if err != nil {
		return fmt.Errorf("tasklab: %w", err)
	}
	j.pending.Go(func() {
		select {
		case <-h.Done():
			j.results.ended(t, h.Err())
		case <-j.abandon:
		}
	})
	return nil
}

// finish waits for the tasks, and stops the manager. Once ctx has ended it
// stops it at once; tasks that do not end within the grace are abandoned.
// The time returned is how long the run took.
func (j *job) finish(ctx context.Context, grace time.Duration) (elapsed time.Duration, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.pending.Wait()
		elapsed = time.Since(j.start)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err = j.manager.Stop(stopping); err != nil {
		close(j.abandon)
	}
	<-done
	return elapsed, err
}

// count counts the files in advance, in a walk of its own, if that is wanted:
// the walk that feeds the manager waits for it, and cannot know how much is to
// come. The group is done when the count has ended.
func (j *job) count(ctx context.Context, wanted bool) *sync.WaitGroup {
	var counting sync.WaitGroup
	if wanted {
		counting.Go(func() {
			// What cannot be walked is reported by the other walk.
			_ = walk(ctx, j.bench.files, visitor{
				file:    func(string, fs.DirEntry) error { j.counted.Add(1); return nil },
				skipped: func() {},
				failed:  func(string, error) {},
			})
		})
	}
	return &counting
}

// view is the run as a display shows it.
func (j *job) view() view {
	c, s := j.results.now(), j.manager.Snapshot()
	return view{
		counts:  c,
		total:   max(c.Found, int(j.counted.Load())),
		elapsed: time.Since(j.start),
		busy:    s.Busy,
		workers: s.Workers,
		queued:  s.Queued,
		longest: longest(j.manager.TaskStatus()),
	}
}

// longest returns the task that has been running for the longest time, or the
// zero value if none is.
func longest(tasks map[string]taskmanager.TaskStatus) taskmanager.TaskStatus {
	var first taskmanager.TaskStatus
	for _, t := range tasks {
		if t.Status == taskmanager.Running && (first.Name == "" || t.StartedAt.Before(first.StartedAt)) {
			first = t
		}
	}
	return first
}
