package workload

import (
	"io"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// The attributes of a File, by which disciplines order. The manager asks for all of
// them at the submit, so the size of a file is looked up there, once.
var (
	_ taskmanager.TaskWithKey      = (*File)(nil)
	_ taskmanager.TaskWithCost     = (*File)(nil)
	_ taskmanager.TaskWithPriority = (*File)(nil)
	_ taskmanager.TaskWithDeadline = (*File)(nil)
)

// ExplainAttributes writes the attributes of files.
func ExplainAttributes(w io.Writer) {
	output.Say(w, `
A file has its size as cost, a level that is one lower for each doubling of the size,
its top-level folder as key, and a deadline %v + %v per KiB after it was found.
`, LeastAllowance, AllowancePerKiB)
}

// Key returns the top-level folder of the file.
func (t *File) Key() string {
	if top, _, below := strings.Cut(t.path, "/"); below {
		return top
	}
	return "."
}

// Cost returns the size in bytes.
func (t *File) Cost() int64 { return max(1, t.sizeFound()) }

// Priority is one level lower for each doubling of the size.
func (t *File) Priority() int { return -bits.Len64(uint64(t.sizeFound())) }

// Deadline returns when the file should be started at the latest.
func (t *File) Deadline() (deadline time.Time, ok bool) {
	t.Allowed = allowance(t.sizeFound())
	return t.Submitted.Add(t.Allowed), true
}

// A file is due LeastAllowance, and AllowancePerKiB for each KiB, after it was
// found.
const (
	LeastAllowance  = 100 * time.Millisecond
	AllowancePerKiB = time.Millisecond
)

// allowance returns how long a file of a size may wait.
func allowance(size int64) time.Duration {
	const enough = 1 << 40 // a larger size might overflow the duration
	return LeastAllowance + time.Duration(min(size, enough)>>10)*AllowancePerKiB
}

// Late reports whether the file was started after its deadline. A file that
// could not be opened has the least allowance, unless its size was known before.
func (t *File) Late() bool { return t.QueueWait > max(t.Allowed, LeastAllowance) }

// sizeFound returns the size that the walk found, in bytes. An unknown size is 0:
// if something is wrong with the file, reading it will report the error. Only the submit
// calls it.
func (t *File) sizeFound() int64 {
	if t.found == 0 {
		t.found = 1
		if info, err := t.entry.Info(); err == nil {
			t.found += min(max(0, info.Size()), math.MaxInt64-1)
		}
	}
	return t.found - 1
}
