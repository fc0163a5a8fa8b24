// Package ledger keeps the account of a cluster: a file to which all processes append what happens. A process that
// is killed loses no line that it has written. The tests compare the account with the rules that a cluster promises.
//
// A [Writer] is safe for concurrent use, also by several processes. All other types are not.
package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Event is what a [Line] reports.
type Event string

// The events of a task. Name and ID are those of the task, if the process knows them.
const (
	Try       Event = "try"       // a submitter is about to submit
	Accepted  Event = "accepted"  // the submit succeeded
	Refused   Event = "refused"   // the name is taken by another task
	Rejected  Event = "rejected"  // the name of another task of the same batch is taken
	Unknown   Event = "unknown"   // the submitter gave up; the task is stored or not
	Start     Event = "start"     // an execution starts
	End       Event = "end"       // an execution is about to return without error
	Failed    Event = "failed"    // an execution is about to return an error
	Cancelled Event = "cancelled" // an execution has been cancelled, and is about to return
	Asked     Event = "asked"     // someone is about to cancel the task of a name; ID identifies the question
	Answered  Event = "answered"  // the answer to that ID: Text is "true", "false" or an error
)

// The events of a process. Process is that process.
const (
	Launch Event = "launch" // it has been started
	Term   Event = "term"   // it was asked to end
	Kill   Event = "kill"   // it was killed, or it kills itself
	Freeze Event = "freeze" // it will stand still in a moment
	Thaw   Event = "thaw"   // it goes on
	Cut    Event = "cut"    // its connection carries nothing from now on
	Mend   Event = "mend"   // its connection carries bytes again
	Full   Event = "full"   // its disk will be full in a moment
	Room   Event = "room"   // its disk has room again, and it stores again
	Exit   Event = "exit"   // it has ended
	Note   Event = "note"   // Text is for the reader
)

// Line is a line of the ledger.
type Line struct {
	At      int64  `json:"at"` // Unix time in nanoseconds
	Process string `json:"process"`
	Event   Event  `json:"event"`
	Name    string `json:"name,omitempty"`
	ID      string `json:"id,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Time returns when the event happened.
func (l Line) Time() time.Time { return time.Unix(0, l.At) }

// String returns the line as a reader of a failed test sees it.
func (l Line) String() string {
	s := fmt.Sprintf("%s %-10s %-9s", l.Time().Format("15:04:05.000000"), l.Process, l.Event)
	if l.Name != "" {
		s += fmt.Sprintf(" %q %s", l.Name, l.ID)
	}
	if l.Attempt != 0 {
		s += fmt.Sprintf(" attempt %d", l.Attempt)
	}
	if l.Text != "" {
		s += " " + l.Text
	}
	return s
}

// Writer appends to a ledger.
type Writer struct {
	file    *os.File
	process string
}

// Open opens a ledger for a process, and creates it if it does not exist.
func Open(path, process string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Writer{file, process}, nil
}

// Write appends a line. It sets the time, and the process unless the line has one. A line that cannot be
// written would falsify the account, so Write panics then.
func (w *Writer) Write(l Line) {
	l.At = time.Now().UnixNano()
	if l.Process == "" {
		l.Process = w.process
	}
	text, err := json.Marshal(l)
	if err == nil {
		// One call of write for each line: lines of several processes do not mix.
		_, err = w.file.Write(append(text, '\n'))
	}
	if err != nil {
		panic(fmt.Errorf("ledger: %w", err))
	}
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// Reader reads a ledger while it grows.
type Reader struct {
	path   string
	offset int64
	lines  []Line
}

// Follow returns a reader of a ledger, which need not exist yet.
func Follow(path string) *Reader { return &Reader{path: path} }

// Lines returns all lines so far, in the order in which they were written. The caller must not change them.
func (r *Reader) Lines() ([]Line, error) {
	file, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, r.offset, 1<<62))
	if err != nil {
		return nil, err
	}
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole { // another process is writing it
			return r.lines, nil
		}
		var l Line
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, fmt.Errorf("ledger: %q: %w", line, err)
		}
		r.lines, r.offset, text = append(r.lines, l), r.offset+int64(len(line))+1, rest
	}
}
