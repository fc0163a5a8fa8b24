package run

import (
	"fmt"
	"math"
	"os"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/observe"
)

// recording writes the trace of a run. Its recorder is nil if the user did not ask for one.
type recording struct{ recorder *record.Recorder }

// checkRecord adds a fault if the trace cannot have the name that the user gives. The recorder would
// take another name for a file that exists, and the user would go on with the trace of another run.
func (c *command) checkRecord(f *flagvalue.Faults) {
	if c.record == "" {
		return
	}
	if _, err := os.Lstat(c.record); err == nil {
		f.Add("-record: %s exists; remove it, or name another file", c.record)
	}
}

// startRecording opens the trace, if there is to be one. It is a single file, however large.
func (c *command) startRecording() (recording, error) {
	if c.record == "" {
		return recording{}, nil
	}
	rec, err := record.New(record.Config{File: c.record, MaxBytes: math.MaxInt64})
	if err != nil {
		return recording{}, fmt.Errorf("tasklab: -record: %w", err)
	}
	return recording{rec}, nil
}

// observers returns what must observe the manager.
func (r recording) observers() []observe.Observer {
	if r.recorder == nil {
		return nil
	}
	return []observe.Observer{r.recorder}
}

// close completes the trace when the manager has stopped. A trace without some of the tasks is an error.
func (r recording) close() error {
	if r.recorder == nil {
		return nil
	}
	err := r.recorder.Close()
	if n := r.recorder.Dropped(); err == nil && n > 0 {
		err = fmt.Errorf("%d files are missing in the trace, since the disk was too slow", n)
	}
	if err != nil {
		return fmt.Errorf("tasklab: -record: %w", err)
	}
	return nil
}
