package run

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/session"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// job is one run in progress.
type job struct {
	*session.Session
	files   fs.FS
	reader  *workload.Reader
	results *results
	counted atomic.Int64 // files; see countFiles
}

// read reads all files and shows the progress on d. If ctx ends, the report
// covers what was done until then.
func (c *command) read(ctx context.Context, files fs.FS, d progress.Display, more ...taskmanager.Option) (Report, error) {
	s, err := session.Open(c.manager, c.queue.Value, c.scaler.Value(), append(more, taskmanager.WithRestart(c.restart.Value()))...)
	if err != nil {
		return Report{}, err
	}
	hideDashboard, err := c.live.show(s.Manager)
	if err != nil {
		return Report{}, errors.Join(err, s.Manager.Stop(ctx))
	}
	j := &job{Session: s, files: files, reader: workload.NewReader(files, c.retries, s.Load), results: newResults()}
	hide := progress.Show(d, j.view)
	var counting sync.WaitGroup
	if d.WantsTotal() {
		counting.Go(func() { j.counted.Store(countFiles(ctx, j.files)) })
	}
	err = j.Work(ctx, j.feed)
	counting.Wait()
	hide()
	err = errors.Join(err, hideDashboard())
	rep := c.report(j.results, measured{j.Elapsed, j.Load.PeakWorkers(), j.Load.PeakBusy()})
	rep.Interrupted = ctx.Err() != nil
	return rep, err
}

// feed walks the files and submits a task for each.
func (j *job) feed(ctx context.Context) error {
	return workload.Walk(ctx, j.files, workload.Visitor{
		File: func(path string, entry fs.DirEntry) error {
			t := j.reader.Task(path, entry)
			j.results.found(t)
			return j.Submit(ctx, t, func(err error) { j.results.ended(t, err) })
		},
		Skipped: j.results.skipped,
		Failed:  j.results.unreadable,
	})
}

// countFiles counts the files in a walk of its own. The walk that feeds the
// manager waits for the manager, so it cannot know how many files are to come.
func countFiles(ctx context.Context, files fs.FS) (n int64) {
	// The other walk reports what cannot be read.
	_ = workload.Walk(ctx, files, workload.Visitor{
		File:    func(string, fs.DirEntry) error { n++; return nil },
		Skipped: func() {},
		Failed:  func(string, error) {},
	})
	return n
}

// view returns what a display shows of the job.
func (j *job) view() progress.View {
	c, v := j.results.now(), j.View()
	v.Tally = c.Tally
	v.Unreadable = c.unreadable
	v.Total = max(c.Found, int(j.counted.Load()))
	v.Longest = longest(j.Manager.TaskStatus())
	return v
}

// longest returns the task that has run longest, or the zero value if none runs.
func longest(tasks map[string]taskmanager.TaskStatus) taskmanager.TaskStatus {
	var first taskmanager.TaskStatus
	for _, t := range tasks {
		if t.Status == taskmanager.Running && (first.Name == "" || t.StartedAt.Before(first.StartedAt)) {
			first = t
		}
	}
	return first
}
