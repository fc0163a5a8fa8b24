package workload

import (
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

// entry is an entry that a walk found: a file of a size, or a file that has
// vanished since if the size is negative.
type entry struct {
	fs.DirEntry
	size int64
}

func (e entry) Info() (fs.FileInfo, error) {
	if e.size < 0 {
		return nil, fs.ErrNotExist
	}
	return info{size: e.size}, nil
}

type info struct {
	fs.FileInfo
	size int64
}

func (i info) Size() int64 { return i.size }

func TestAttributes(t *testing.T) {
	type attributes struct {
		Key      string
		Cost     int64
		Priority int
		Allowed  time.Duration
	}
	for _, tt := range []struct {
		path string
		size int64
		want attributes
	}{
		{"file", 0, attributes{".", 1, 0, 100 * time.Millisecond}},
		{"a/file", 1, attributes{"a", 1, -1, 100 * time.Millisecond}},
		{"a/b/file", 1023, attributes{"a", 1023, -10, 100 * time.Millisecond}},
		{"a b/c", 1024, attributes{"a b", 1024, -11, 101 * time.Millisecond}},
		{"a", 10 << 20, attributes{".", 10 << 20, -24, 10_340 * time.Millisecond}},
		{"a", math.MaxInt64, attributes{".", math.MaxInt64 - 1, -63, 100*time.Millisecond + 1<<30*time.Millisecond}},
		{"vanished", -1, attributes{".", 1, 0, 100 * time.Millisecond}},
	} {
		submitted := time.Now()
		task := &File{path: tt.path, entry: entry{size: tt.size}, Executions: measure.Executions{Submitted: submitted}}
		deadline, ok := task.Deadline()
		got := attributes{task.Key(), task.Cost(), task.Priority(), deadline.Sub(submitted)}
		if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
			t.Errorf("%s of %d bytes (-want +got):\n%s", tt.path, tt.size, diff)
		}
	}
}
