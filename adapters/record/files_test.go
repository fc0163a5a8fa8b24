package record_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// runAll runs n tasks with the keys first, first+1 and so on, in this order.
func runAll(t *testing.T, m *taskmanager.TaskManager, first, n int) {
	t.Helper()
	for i := range n {
		h := submit(t, m, takes(time.Millisecond, nil), taskmanager.WithKey(strconv.Itoa(first+i)))
		if err := h.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRotation checks the files of a recording: their names and sizes, that each can be read on its
// own, and that together they have all rows in order.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4096
		name := filepath.Join(t.TempDir(), "trace.csv")
		rec, err := record.New(record.Config{File: name, MaxBytes: most})
		if err != nil {
			t.Fatal(err)
		}
		m := start(t, taskmanager.WithObserver(rec))
		runAll(t, m, 1000, 1000)
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
		next := 1000
		var files int
		for ; ; files++ {
			path := name
			if files > 0 {
				path += fmt.Sprintf(".%d", files)
			}
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			rows, dropped := parse(t, string(text))
			check.Equal(t, "dropped", dropped, 0)
			for _, r := range rows {
				check.Equal(t, "key", r.Key, strconv.Itoa(next))
				next++
			}
			if len(text) > most {
				t.Errorf("%s has %d bytes", path, len(text))
			}
			if next < 2000 && len(text) < most-60 {
				t.Errorf("%s is not full: it has %d bytes", path, len(text))
			}
		}
		check.Equal(t, "rows", next, 2000)
		entries, err := os.ReadDir(filepath.Dir(name))
		check.Is(t, "ReadDir", err, nil)
		check.Equal(t, "files", len(entries), files)
		if files < 8 {
			t.Errorf("there are only %d files", files)
		}
	})
}

// TestKeptFiles checks which files remain, also of an earlier recording, and that nothing else is
// touched.
func TestKeptFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := new(memory)
		for _, name := range []string{
			"trace.csv", "trace.csv.2", "trace.csv.11", "trace.csv.9", // of an earlier recording
			"trace.csv.007", "trace.csv.0", "trace.csv.-1", "trace.csv.x", "trace.csv.12.gz", "trace.csv2", "other",
		} {
			f, err := disk.Create("dir/" + name)
			check.Is(t, "Create", err, nil)
			check.Is(t, "Close", f.Close(), nil)
		}
		disk.order = nil // look only at those of this recording
		others := []string{"dir/other", "dir/trace.csv.-1", "dir/trace.csv.0", "dir/trace.csv.007"}
		rest := []string{"dir/trace.csv.x", "dir/trace.csv2"}
		see := func(what string, numbered ...string) {
			t.Helper()
			check.Equal(t, what, disk.names(), append(append(append([]string{}, others...), numbered...), rest...))
		}

		rec := newOn(t, disk, record.Config{MaxBytes: 4096, MaxFiles: 3})
		see("at first", "dir/trace.csv.11", "dir/trace.csv.12", "dir/trace.csv.12.gz", "dir/trace.csv.9")
		m := start(t, taskmanager.WithObserver(rec))
		runAll(t, m, 1000, 300)
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
		rows, _ := parseAll(t, disk.texts(t))
		check.Equal(t, "the last row", rows[len(rows)-1].Key, "1299")
		check.Equal(t, "the last rows", len(rows), 1300-number(t, rows[0].Key))
		check.Equal(t, "recorded files that remain", len(disk.texts(t)), 3)

		again := newOn(t, disk, record.Config{})
		check.Is(t, "Close", again.Close(), nil)
		texts := disk.texts(t)
		check.Equal(t, "files after a further recording", len(texts), 4)
		check.Equal(t, "lines of an empty recording", strings.Count(texts[3], "\n"), 2)
	})
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	check.Is(t, s, err, nil)
	return n
}

// TestFileThatAppears checks that a file of another program is not touched.
func TestFileThatAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &memory{files: map[string]*content{"dir/trace.csv.1": {text: "other", closed: true}}}
		rec := newOn(t, disk, record.Config{})
		check.Is(t, "Close", rec.Close(), nil)
		check.Equal(t, "files", disk.names(), []string{"dir/trace.csv.1", "dir/trace.csv.2"})
		check.Equal(t, "the other", disk.files["dir/trace.csv.1"].text, "other")

		disk = new(memory)
		rec = newOn(t, disk, record.Config{MaxBytes: 4096})
		disk.mu.Lock()
		disk.files["dir/trace.csv.1"] = &content{text: "other", closed: true}
		disk.mu.Unlock()
		m := start(t, taskmanager.WithObserver(rec))
		runAll(t, m, 0, 300)
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
		check.Equal(t, "the other", disk.files["dir/trace.csv.1"].text, "other")
		rows, _ := parseAll(t, disk.texts(t))
		check.Equal(t, "rows", len(rows), 300)
	})
}

// TestFailures checks the ledger of a recording on a disk on which any operation may fail, after a
// part of the bytes: each task has a row or was dropped, files hold whole lines, and once the disk
// works they say how many rows are missing.
func TestFailures(t *testing.T) {
	check.Property(t, func(rt *rapid.T) {
		fails := rapid.SliceOfN(rapid.Bool(), 0, 60).Draw(rt, "fails")
		part := rapid.Float64Range(0, 1).Draw(rt, "part")
		recovers := rapid.Bool().Draw(rt, "recovers")
		waits := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 100).Draw(rt, "seconds between tasks")
		synctest.Test(t, func(t *testing.T) {
			var failed bool // since New
			armed := false
			next := func() error {
				if !armed || len(fails) == 0 {
					return nil
				}
				fail := fails[0]
				fails = fails[1:]
				if !fail {
					return nil
				}
				failed = true
				return syscall.ENOSPC
			}
			disk := &memory{create: next, remove: func(string) error { return nil }, write: func(b []byte) (int, error) {
				if err := next(); err != nil {
					return int(part * float64(len(b))), err
				}
				return len(b), nil
			}}
			rec := newOn(t, disk, record.Config{MaxBytes: 4096})
			armed = true
			m := start(t, taskmanager.WithObserver(rec))
			for i, wait := range waits {
				runAll(t, m, i, 1)
				time.Sleep(time.Duration(wait) * time.Second)
			}
			check.Is(t, "Stop", m.Stop(t.Context()), nil)
			synctest.Wait() // the recorder does not use the disk now
			if recovers {
				fails = nil
			}
			err := rec.Close()
			if failed {
				check.Is(t, "Close", err, syscall.ENOSPC)
			} else {
				check.Is(t, "Close", err, nil)
			}
			check.Equal(t, "Err", rec.Err(), err)
			rows, told := parseAll(t, disk.texts(t))
			check.Equal(t, "rows and dropped ones", int64(len(rows))+rec.Dropped(), int64(len(waits)))
			if recovers {
				check.Equal(t, "dropped rows that the trace mentions", int64(told), rec.Dropped())
			} else if int64(told) > rec.Dropped() {
				t.Errorf("the trace mentions %d dropped rows, of %d", told, rec.Dropped())
			}
		})
	})
}

// TestSlowDisk checks that tasks do not wait for a disk that hangs, and that exactly the rows that
// do not fit into the buffer are dropped.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		disk := new(memory)
		rec := newOn(t, disk, record.Config{Buffer: 10})
		disk.write = func(b []byte) (int, error) { <-hangs; return len(b), nil }
		m := start(t, taskmanager.WithObserver(rec))
		began := time.Now()
		runAll(t, m, 0, 5) // half of the buffer: they are taken at once
		synctest.Wait()
		runAll(t, m, 5, 20)
		check.Equal(t, "the time for the tasks", time.Since(began), 25*time.Millisecond)
		check.Equal(t, "dropped", rec.Dropped(), 15)
		close(hangs)
		synctest.Wait()
		runAll(t, m, 25, 8) // the disk works again: there is room for many
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
		rows, told := parseAll(t, disk.texts(t))
		check.Equal(t, "keys", keysOf(rows), strings.Fields("0 1 2 3 4 5 6 7 8 9 25 26 27 28 29 30 31 32"))
		check.Equal(t, "dropped in the end", rec.Dropped(), 15)
		check.Equal(t, "dropped in the trace", told, 15)
	})
}

// TestRowIsWrittenAfterASecond checks that a row does not wait for others for longer.
func TestRowIsWrittenAfterASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := new(memory)
		rec := newOn(t, disk, record.Config{})
		m := start(t, taskmanager.WithObserver(rec))
		text := func() string {
			synctest.Wait()
			disk.mu.Lock()
			defer disk.mu.Unlock()
			return disk.files["dir/trace.csv"].text
		}
		for i := range 3 {
			runAll(t, m, i, 1)
			time.Sleep(time.Second - 1)
			before, _ := parse(t, text())
			time.Sleep(time.Nanosecond)
			after, _ := parse(t, text())
			check.Equal(t, "rows", []int{len(before), len(after)}, []int{i, i + 1})
		}
		check.Is(t, "Stop", m.Stop(t.Context()), nil)
		check.Is(t, "Close", rec.Close(), nil)
	})
}

// TestErrorsOfNew checks the errors for a configuration and for a file that cannot be written.
func TestErrorsOfNew(t *testing.T) {
	_, err := record.New(record.Config{MaxBytes: 1, MaxFiles: -1, Buffer: -1})
	check.Equal(t, "all faults", err.Error(), `record: File is empty; name the file to write
record: MaxBytes is 1; it must be 4096 or more, or 0 for 100 MiB
record: MaxFiles is -1; it must be 1 or more, or 0 for no limit
record: Buffer is -1; it must be 1 or more, or 0 for 65536`)
	missing := filepath.Join(t.TempDir(), "missing", "trace.csv")
	_, err = record.New(record.Config{File: missing})
	check.Is(t, "New in a directory that does not exist", err, fs.ErrNotExist)
	if !strings.HasPrefix(err.Error(), "record: ") || !strings.Contains(err.Error(), filepath.Dir(missing)) {
		t.Errorf("the error is %q", err)
	}
	disk := &memory{write: func([]byte) (int, error) { return 3, syscall.ENOSPC }}
	_, err = record.NewOn(record.Config{File: "dir/trace.csv"}, disk)
	check.Is(t, "New on a full disk", err, syscall.ENOSPC)
	check.Equal(t, "files that it leaves", len(disk.files), 0)
}
