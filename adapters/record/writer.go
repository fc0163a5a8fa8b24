package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/internal/text"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// files are the operations on files that a writer needs. Tests replace them.
type files interface {
	// List returns the names of the entries of a directory.
	List(dir string) (names []string, err error)
	// Create makes a file. It returns an error that is fs.ErrExist if the file exists.
	Create(name string) (file, error)
	Remove(name string) error
}

type file interface {
	io.WriteCloser
	Truncate(size int64) error
}

// disk is the file system of the operating system.
type disk struct{}

func (disk) List(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (disk) Create(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
}

func (disk) Remove(name string) error { return os.Remove(name) }

// chunk is the size from which lines are written.
const chunk = 64 << 10

// writer writes rows to numbered files. Only one goroutine uses it at a time. Its methods that
// return false have failed and set problem; the file is closed then, and what it has of the lines
// is removed.
type writer struct {
	cfg  Config
	fs   files
	head []byte // of each file

	kept []int // the numbers of the files that exist, ascending
	next int   // the number of the next file; 0: the name has none
	open file  // nil: the next write opens one
	size int64 // of the open file
	used bool  // there is more than the head in it

	lines   []byte // to be written to the open file
	rows    int    // in lines
	telling int64  // the number in the line about dropped rows in lines; 0: there is none

	durable int   // rows that the present call of write has written
	untold  int64 // dropped rows that no line in a file mentions
	problem error // of the last operation on a file that failed in the present call
}

// newWriter opens the first file.
func newWriter(cfg Config, to files, began time.Time) (*writer, error) {
	w := &writer{cfg: cfg, fs: to}
	w.head = fmt.Appendf(nil, "%s# recording began %s\n", trace.Header, began.UTC().Format(time.RFC3339Nano))
	names, err := to.List(filepath.Dir(cfg.File))
	if err != nil {
		return nil, fmt.Errorf("record: look for earlier recordings: %w", err)
	}
	for _, name := range names {
		if n, ok := w.numberOf(name); ok {
			w.kept = append(w.kept, n)
			w.next = max(w.next, n+1)
		}
	}
	slices.Sort(w.kept)
	if !w.openNext() {
		return nil, w.problem
	}
	return w, nil
}

// numberOf returns the number of a file of a recording.
func (w *writer) numberOf(name string) (n int, ok bool) {
	rest, ok := strings.CutPrefix(name, filepath.Base(w.cfg.File))
	if !ok || rest == "" {
		return 0, ok
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "."))
	return n, err == nil && n > 0 && rest == suffix(n)
}

// suffix is what the name of a file with that number ends in.
func suffix(n int) string {
	if n == 0 {
		return ""
	}
	return "." + strconv.Itoa(n)
}

func (w *writer) name(n int) string { return w.cfg.File + suffix(n) }

// fail notes an error and returns false.
func (w *writer) fail(err error) bool {
	w.problem = fmt.Errorf("record: %w", err)
	return false
}

// write writes rows, and first that others were dropped before. It returns how many of the rows
// are lost, which it remembers for the next call. After a failure it does not try the rest.
func (w *writer) write(rows []trace.Record, dropped int64) (lost int, err error) {
	w.untold += dropped
	w.durable, w.problem = 0, nil
	ok := w.begin()
	for i := 0; ok && i < len(rows); i++ {
		ok = w.add(rows[i])
	}
	if ok {
		w.flush()
	}
	lost = len(rows) - w.durable
	w.untold += int64(lost)
	return lost, w.problem
}

// close says that rows were dropped, if no line says so yet, and closes the file.
func (w *writer) close() error {
	w.problem = nil
	if w.untold > 0 && w.begin() {
		w.flush()
	}
	if w.open != nil {
		w.closeFile()
	}
	return w.problem
}

// begin prepares for lines: there is an open file, and a line about dropped rows.
func (w *writer) begin() bool {
	if w.open == nil && !w.openNext() {
		return false
	}
	if w.untold == 0 {
		return true
	}
	w.telling = w.untold
	w.lines = trace.AppendDropped(w.lines, w.telling)
	return w.fit(0)
}

// add adds the line of a row.
func (w *writer) add(r trace.Record) bool {
	before := len(w.lines)
	r.Kind, r.Key = text.Line(r.Kind, text.NameLimit), text.Line(r.Key, text.NameLimit)
	w.lines = r.Append(w.lines)
	if !w.fit(before) {
		return false
	}
	w.rows++
	return len(w.lines) < chunk || w.flush()
}

// fit continues in the next file if lines would make the open one too large. The last line, which
// begins at before, goes there.
func (w *writer) fit(before int) bool {
	if w.size+int64(len(w.lines)) <= w.cfg.MaxBytes {
		return true
	}
	last := w.lines[before:]
	w.lines = w.lines[:before]
	if !w.flush() {
		return false
	}
	w.closeFile()
	if !w.openNext() {
		return false
	}
	w.lines = append(w.lines, last...)
	return true
}

// flush writes the lines.
func (w *writer) flush() bool {
	rows, telling, n := w.rows, w.telling, int64(len(w.lines))
	ok := w.put(w.lines)
	w.lines, w.rows, w.telling = w.lines[:0], 0, 0
	if !ok {
		return false
	}
	w.used = w.used || n > 0
	w.durable += rows
	w.untold -= telling
	return true
}

// put appends to the open file.
func (w *writer) put(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	n, err := w.open.Write(b)
	if err == nil {
		w.size += int64(n)
		return true
	}
	err = errors.Join(err, w.open.Truncate(w.size)) // no part of a line may remain
	w.closeFile()
	if !w.used {
		w.remove(len(w.kept) - 1)
	}
	return w.fail(err)
}

// closeFile closes the open file.
func (w *writer) closeFile() {
	if err := w.open.Close(); err != nil {
		w.fail(err)
	}
	w.open = nil
}

// openNext opens the next file and removes the oldest ones.
func (w *writer) openNext() bool {
	f, err := w.fs.Create(w.name(w.next))
	for errors.Is(err, fs.ErrExist) { // another program has made it
		w.next++
		f, err = w.fs.Create(w.name(w.next))
	}
	if err != nil {
		return w.fail(err)
	}
	w.open, w.size, w.used = f, 0, false
	w.kept = append(w.kept, w.next)
	w.next++
	if !w.put(w.head) {
		return false
	}
	for w.cfg.MaxFiles > 0 && len(w.kept) > w.cfg.MaxFiles {
		w.remove(0)
	}
	return true
}

// remove removes one of the files that are kept. If that fails, the file is left alone.
func (w *writer) remove(i int) {
	if err := w.fs.Remove(w.name(w.kept[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.fail(err)
	}
	w.kept = slices.Delete(w.kept, i, i+1)
}
