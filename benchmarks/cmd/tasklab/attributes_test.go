package main

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// entry is what a walk has found: a file of that size, or one that has vanished
// since if the size is negative.
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
		{"a", math.MaxInt64, attributes{".", math.MaxInt64, -63, 100*time.Millisecond + 1<<30*time.Millisecond}},
		{"vanished", -1, attributes{".", 1, 0, 100 * time.Millisecond}},
	} {
		submitted := time.Now()
		task := &fileTask{path: tt.path, entry: entry{size: tt.size}, execution: execution{submitted: submitted}}
		deadline, ok := task.Deadline()
		got := attributes{task.Key(), task.Cost(), task.Priority(), deadline.Sub(submitted)}
		if diff := cmp.Diff(tt.want, got); diff != "" || !ok {
			t.Errorf("%s of %d bytes (-want +got):\n%s", tt.path, tt.size, diff)
		}
	}
}

// small are the disciplines that do not shed, with which a small tree is to be
// read whatever the machine is at.
var small = disciplines[:len(disciplines)-1]

func TestDisciplinesReadEverything(t *testing.T) {
	dir := tree(t, map[string]string{
		"x": "x", "a/empty": "", "a/1": "1\n", "a/b/2": "22", "c/3": "333", "c/4": "4444", "d/5": "55555", "d/6": "6",
	})
	digests := make(map[string]bool)
	for _, d := range small {
		for _, limit := range []int{0, 2, 100} {
			cfg := testConfig
			cfg.queue.named, cfg.limit, cfg.max = d, limit, 2
			rep, err := quietly(t.Context(), cfg, directory(dir))
			if err != nil {
				t.Fatal(err)
			}
			check(t, rep, outcome{Found: 8, Read: 8, Bytes: 18})
			digests[rep.Digest] = true
		}
	}
	if len(digests) != 1 {
		t.Errorf("the digests differ: %v", digests)
	}
}

// vanishing is a directory from which a file vanishes as soon as it was listed.
type vanishing struct {
	fs.ReadDirFile
	file string
}

func (v vanishing) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := v.ReadDirFile.ReadDir(n)
	if removeErr := os.Remove(v.file); removeErr != nil {
		return entries, removeErr
	}
	return entries, err
}

// A discipline that wants the size of a file which is gone must not lose it.
func TestFileThatVanishesBeforeItsSubmit(t *testing.T) {
	for _, d := range small {
		dir := tree(t, map[string]string{"good": "good", "vanishing": "?"})
		files := replace(directory(dir), ".", func(int64) (fs.File, error) {
			f, err := os.Open(dir)
			return vanishing{f, filepath.Join(dir, "vanishing")}, err
		})
		cfg := testConfig
		cfg.queue.named, cfg.retries = d, 0
		rep, err := quietly(t.Context(), cfg, files)
		if err != nil {
			t.Fatal(err)
		}
		check(t, rep, outcome{Found: 2, Read: 1, Bytes: 4, Failures: []failure{
			{"vanishing", "open: no such file or directory", 1},
		}})
	}
}
