package record_test

import (
	"encoding/csv"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/internal/check"
)

// memory is a file system in memory. The functions of the test, if any, decide what fails.
type memory struct {
	create func() error
	write  func(b []byte) (n int, err error) // how many bytes are written
	remove func(name string) error

	mu    sync.Mutex
	files map[string]*content
	order []string // of their creation
}

type content struct {
	of     *memory
	text   string
	closed bool
}

func (m *memory) List(dir string) (names []string, err error) {
	for name := range m.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

func (m *memory) Create(name string) (record.File, error) {
	if m.create != nil {
		if err := m.create(); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EEXIST}
	}
	if m.files == nil {
		m.files = make(map[string]*content)
	}
	f := &content{of: m}
	m.files[name] = f
	m.order = append(m.order, name)
	return f, nil
}

func (m *memory) Remove(name string) error {
	if m.remove != nil {
		if err := m.remove(name); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return fs.ErrNotExist
	}
	delete(m.files, name)
	return nil
}

func (c *content) Write(b []byte) (n int, err error) {
	n = len(b)
	if c.of.write != nil {
		n, err = c.of.write(b)
	}
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.text += string(b[:n])
	return n, err
}

func (c *content) Truncate(size int64) error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.text = c.text[:size]
	return nil
}

func (c *content) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.closed {
		return fs.ErrClosed
	}
	c.closed = true
	return nil
}

// texts returns the contents of the files that exist, in the order of their creation. All must be
// closed.
func (m *memory) texts(t check.T) (texts []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range m.order {
		f := m.files[name]
		if f == nil {
			continue
		}
		if !f.closed {
			t.Errorf("%s is open", name)
		}
		texts = append(texts, f.text)
	}
	return texts
}

// entry is a row of a file.
type entry struct {
	At, Service, Deadline, Wait time.Duration
	NeverRan                    bool
	Kind, Key                   string
	Fails                       int
	Outcome                     string
}

// parse returns the rows of a file that begins with a head, and how many rows were dropped
// according to it. Nothing else may be in it.
func parse(t check.T, text string) (rows []entry, dropped int) {
	t.Helper()
	head, rest, ok := strings.Cut(text, "\n")
	began, rest, more := strings.Cut(rest, "\n")
	if !ok || !more || head != "at,service,kind,key,priority,cost,deadline,fails,wait,outcome" ||
		!strings.HasPrefix(began, "# recording began 2") || !strings.HasSuffix(text, "\n") {
		t.Errorf("a file begins or ends with part of a line: %q", text)
		return nil, 0
	}
	for line := range strings.Lines(rest) {
		if n, ok := strings.CutPrefix(line, "# dropped "); ok {
			number, err := strconv.Atoi(strings.TrimSuffix(n, "\n"))
			check.Is(t, "number of dropped rows", err, nil)
			dropped += number
			continue
		}
		fields, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(fields) != 10 {
			t.Errorf("the line %q is %q: %v", line, fields, err)
			continue
		}
		e := entry{NeverRan: fields[1] == "", Kind: fields[2], Key: fields[3], Outcome: fields[9]}
		for i, d := range map[int]*time.Duration{0: &e.At, 1: &e.Service, 6: &e.Deadline, 8: &e.Wait} {
			*d = seconds(t, fields[i])
		}
		e.Fails, _ = strconv.Atoi("0" + fields[7])
		rows = append(rows, e)
	}
	return rows, dropped
}

// seconds parses a time that must not be negative.
func seconds(t check.T, s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s + "s")
	if err != nil || d < 0 {
		t.Errorf("a time is %q", s)
	}
	return d
}

// parseAll is parse for several files.
func parseAll(t check.T, texts []string) (rows []entry, dropped int) {
	t.Helper()
	for _, text := range texts {
		r, d := parse(t, text)
		rows, dropped = append(rows, r...), dropped+d
	}
	return rows, dropped
}

// keysOf returns the keys of rows.
func keysOf(rows []entry) (keys []string) {
	for _, r := range rows {
		keys = append(keys, r.Key)
	}
	return keys
}

// newOn returns a recorder on a file system in memory.
func newOn(t testing.TB, m *memory, cfg record.Config) *record.Recorder {
	t.Helper()
	cfg.File = "dir/trace.csv"
	rec, err := record.NewOn(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// names returns the names of the files that exist, sorted.
func (m *memory) names() []string { return slices.Sorted(maps.Keys(m.files)) }
