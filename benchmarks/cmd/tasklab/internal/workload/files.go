package workload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

// Files is the workload of the files below a directory, in the order of a walk.
// Each file is submitted as soon as the previous submit returns.
type Files struct {
	files    fs.FS
	found    []foundFile
	interval time.Duration
}

type foundFile struct {
	path  string
	entry fs.DirEntry
}

// FindFiles walks files to make a workload of them.
func FindFiles(ctx context.Context, files fs.FS) (*Files, error) {
	w := &Files{files: files, interval: 100 * time.Millisecond}
	var unreadable error
	err := Walk(ctx, files, Visitor{
		File: func(path string, entry fs.DirEntry) error {
			w.found = append(w.found, foundFile{path, entry})
			return nil
		},
		Skipped: func() {},
		Failed:  func(_ string, err error) { unreadable = err },
	})
	switch {
	case err != nil:
		return nil, err
	case unreadable != nil:
		return nil, fmt.Errorf("tasklab: -dir: %w", unreadable)
	case len(w.found) == 0:
		return nil, errors.New("tasklab: -dir: there are no files in it")
	}
	return w, nil
}

// Expect sets the interval between samples for a workload that takes d.
func (w *Files) Expect(d time.Duration) { w.interval = sampleInterval(d) }

// Tasks returns the number of files.
func (w *Files) Tasks() int { return len(w.found) }

// Interval returns the time between samples.
func (w *Files) Interval() time.Duration { return w.interval }

// Offered returns nil: the load depends on the files.
func (w *Files) Offered() []Point { return nil }

// Feed submits the files. None is due at a given time, so there is no lag.
func (w *Files) Feed(_ context.Context, _ time.Time, load *measure.Load, submit func(measure.Task) error) (lag time.Duration, err error) {
	const retries = 0
	reader := NewReader(w.files, retries, load)
	for _, f := range w.found {
		if err := submit(reader.Task(f.path, f.entry)); err != nil {
			return 0, err
		}
	}
	return 0, nil
}
