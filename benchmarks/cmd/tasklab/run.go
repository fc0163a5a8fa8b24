package main

import (
	"context"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// job is one run.
type job struct {
	*session
	bench   *workbench
	results *results
	counted atomic.Int64 // files that the count has seen; see count
}

// run reads all files and shows on d how far it is. If ctx ends, it reports what
// was done.
func run(ctx context.Context, cfg runConfig, files fs.FS, d display, more ...taskmanager.Option) (report, error) {
	s, err := cfg.open(cfg.queue.value, cfg.scaler.value(), append(more, taskmanager.WithRestart(cfg.restart.value()))...)
	if err != nil {
		return report{}, err
	}
	j := &job{session: s, bench: newWorkbench(files, cfg.retries, s.load), results: newResults()}
	hide := show(d, j.view)
	counting := j.count(ctx, d.wantsTotal())
	err = j.work(ctx, j.feed)
	counting.Wait()
	hide()
	rep := j.report(cfg)
	rep.Interrupted = ctx.Err() != nil
	return rep, err
}

// feed walks the files and submits a task for each.
func (j *job) feed(ctx context.Context) error {
	return walk(ctx, j.bench.files, visitor{
		file: func(path string, entry fs.DirEntry) error {
			t := j.bench.task(path, entry)
			j.results.found(t)
			return j.submit(ctx, t, func(err error) { j.results.ended(t, err) })
		},
		skipped: j.results.skipped,
		failed:  j.results.unreadable,
	})
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
