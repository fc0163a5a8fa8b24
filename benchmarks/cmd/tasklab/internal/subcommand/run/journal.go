package run

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
)

// journalName is the file of the journal in the directory of -store.
const journalName = "tasklab-run.jsonl"

// journal is what an interrupted run leaves behind: the files that were read. It is safe for concurrent use. A journal
// that is nil keeps nothing.
type journal struct {
	head journalHead
	done map[string]journalEntry // of earlier commands; does not change

	mu     sync.Mutex // guards the rest
	file   *os.File
	lines  *bufio.Writer
	synced time.Time // when the lines were last written
	err    error     // of a write
}

// journalHead is the first line of the file.
type journalHead struct {
	Run string `json:"run"` // the beginning of the names of the tasks
	Dir []byte `json:"dir"`
}

// journalEntry is a further line.
type journalEntry struct {
	File cluster.File `json:"file"`
	Read cluster.Read `json:"read"`
}

// newRun returns a name for a run that no other run has.
func newRun() string { return rand.Text()[:12] }

// openJournal continues the journal of an unfinished run, or begins one.
func openJournal(name, dir string) (*journal, error) {
	j := &journal{head: journalHead{newRun(), []byte(dir)}, done: make(map[string]journalEntry), synced: time.Now()}
	content, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tasklab: -store: %w", err)
	}
	known, err := j.load(content, dir)
	if err != nil {
		return nil, fmt.Errorf("tasklab: -store: %s: %w", name, err)
	}
	if j.file, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("tasklab: -store: %w", err)
	}
	// The end of the file may be a part of a line.
	_, seekErr := j.file.Seek(int64(known), 0)
	if err := errors.Join(j.file.Truncate(int64(known)), seekErr); err != nil {
		return nil, errors.Join(fmt.Errorf("tasklab: -store: %w", err), j.file.Close())
	}
	j.lines = bufio.NewWriter(j.file)
	if known == 0 {
		j.write(j.head)
		j.flush()
	}
	return j, j.err
}

// load reads the lines of a file, and returns their length. A last line that is not complete does not count.
func (j *journal) load(content []byte, dir string) (known int, err error) {
	for {
		line, rest, whole := bytes.Cut(content[known:], []byte{'\n'})
		if !whole {
			return known, nil
		}
		if known == 0 {
			err = json.Unmarshal(line, &j.head)
			if err == nil && string(j.head.Dir) != dir {
				return 0, fmt.Errorf("it belongs to an unfinished run over %q; finish that one, or name another -store", j.head.Dir)
			}
		} else {
			var e journalEntry
			err = json.Unmarshal(line, &e)
			j.done[string(e.File.Path)] = e
		}
		if err != nil {
			return 0, fmt.Errorf("it is not a journal of this program; name another -store: %w", err)
		}
		known = len(content) - len(rest)
	}
}

// read returns the result for a file that has not changed since it was read.
func (j *journal) read(f cluster.File) (cluster.Read, bool) {
	if j == nil {
		return cluster.Read{}, false
	}
	e, ok := j.done[string(f.Path)]
	return e.Read, ok && e.File.Size == f.Size && e.File.Modified == f.Modified
}

// add notes a file that was read.
func (j *journal) add(f cluster.File, r cluster.Read) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(journalEntry{f, r})
	if time.Since(j.synced) > time.Second {
		j.flush()
	}
}

// write writes a line. The caller holds the lock, or has the journal for itself.
func (j *journal) write(line any) {
	b, err := json.Marshal(line)
	if err == nil {
		_, err = j.lines.Write(append(b, '\n'))
	}
	j.err = errors.Join(j.err, err)
}

// flush hands the lines to the system. The caller holds the lock, or has the journal for itself.
func (j *journal) flush() {
	j.synced = time.Now()
	if err := j.lines.Flush(); err != nil && j.err == nil {
		j.err = err
	}
}

// close ends the journal, and removes it when the run is complete.
func (j *journal) close(complete bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flush()
	err := errors.Join(j.err, j.file.Close())
	if err == nil && complete {
		err = os.Remove(j.file.Name())
	}
	if err != nil {
		return fmt.Errorf("tasklab: -store: %w", err)
	}
	return nil
}
