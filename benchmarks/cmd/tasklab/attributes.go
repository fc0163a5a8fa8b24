package main

import (
	"math/bits"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// The attributes of a fileTask, which disciplines order by. The manager asks for
// those that its discipline wants, so the size of a file is looked up in advance
// only if the order depends on it.
var (
	_ taskmanager.TaskWithKey      = (*fileTask)(nil)
	_ taskmanager.TaskWithCost     = (*fileTask)(nil)
	_ taskmanager.TaskWithPriority = (*fileTask)(nil)
	_ taskmanager.TaskWithDeadline = (*fileTask)(nil)
)

// Key is the folder at the top that the file lies in.
func (t *fileTask) Key() string {
	if top, _, below := strings.Cut(t.path, "/"); below {
		return top
	}
	return "."
}

// Cost is the number of bytes.
func (t *fileTask) Cost() int64 { return max(1, t.sizeFound()) }

// ageing lets a file give way to no more than that many later ones for each
// level that it is below them.
const ageing = 100

// Priority is one level less for each doubling of the size.
func (t *fileTask) Priority() int { return -bits.Len64(uint64(t.sizeFound())) }

// Deadline is when the file ought to be begun.
func (t *fileTask) Deadline() (deadline time.Time, ok bool) {
	t.allowed = allowance(t.sizeFound())
	return t.submitted.Add(t.allowed), true
}

const (
	leastAllowance  = 100 * time.Millisecond
	allowancePerKiB = time.Millisecond
)

// allowance is how long a file of a size may wait.
func allowance(size int64) time.Duration {
	const enough = 1 << 40 // more bytes might overflow
	return leastAllowance + time.Duration(min(size, enough)>>10)*allowancePerKiB
}

// late reports whether the file was begun after its deadline. A file that could
// not be opened has the least allowance, unless its size was known before.
func (t *fileTask) late() bool { return t.queueWait > max(t.allowed, leastAllowance) }

// sizeFound is the size as the walk has found it, in bytes. One that cannot be
// told is 0: if something is wrong with the file, reading it will show what.
func (t *fileTask) sizeFound() int64 {
	info, err := t.entry.Info()
	if err != nil {
		return 0
	}
	return max(0, info.Size())
}
