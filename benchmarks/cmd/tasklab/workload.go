package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// workload is what settings are compared under: for each the same tasks.
type workload interface {
	tasks() int              // how many
	interval() time.Duration // at which samples are worth taking
	offered() []point        // how many workers would be busy if no task had to wait; nil: not known
	// feed makes the tasks, for a session, and submits each when it is due. The lag
	// is by how much the latest submit was late.
	feed(ctx context.Context, s *session, submit func(subject) error) (lag time.Duration, err error)
}

// samplesWanted is how many samples show how things went.
const samplesWanted = 300

// point is a number at a time since the start.
type point struct {
	at     time.Duration
	number float64
}

// fileWorkload is the files below a directory, in the order of a walk. Each is
// submitted when the one before has been taken.
type fileWorkload struct {
	files fs.FS
	found []foundFile
	every time.Duration // see interval
}

type foundFile struct {
	path  string
	entry fs.DirEntry
}

// findFiles makes a workload of files.
func findFiles(ctx context.Context, files fs.FS) (*fileWorkload, error) {
	w := &fileWorkload{files: files, every: 100 * time.Millisecond}
	var closed error
	err := walk(ctx, files, visitor{
		file: func(path string, entry fs.DirEntry) error {
			w.found = append(w.found, foundFile{path, entry})
			return nil
		},
		skipped: func() {},
		failed:  func(_ string, err error) { closed = err },
	})
	switch {
	case err != nil:
		return nil, err
	case closed != nil:
		return nil, fmt.Errorf("tasklab: -dir: %w", closed)
	case len(w.found) == 0:
		return nil, errors.New("tasklab: -dir: there are no files in it")
	}
	return w, nil
}

func (w *fileWorkload) tasks() int { return len(w.found) }

func (w *fileWorkload) interval() time.Duration { return w.every }

func (w *fileWorkload) offered() []point { return nil }

func (w *fileWorkload) feed(_ context.Context, s *session, submit func(subject) error) (lag time.Duration, err error) {
	const retries = 0
	bench := newWorkbench(w.files, retries, s.load)
	for _, f := range w.found {
		if err := submit(bench.task(f.path, f.entry)); err != nil {
			return 0, err
		}
	}
	return 0, nil
}
