package trace

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Format is a way to read jobs from a file. The functions of this package return Formats. A Format
// does not change, and is safe for concurrent use.
type Format struct {
	// read returns the rows of a file. An error is the last thing that it yields.
	read   func(*input) iter.Seq2[row, error]
	window *time.Duration // of Window; nil: that of the format
	onSkip func(*Error)   // of OnSkip; may be nil
}

// InFull is the window that sorts a whole trace. See [Format.Window].
const InFull time.Duration = 1<<63 - 1

// Window returns the Format for files in which a job may come after jobs that arrive up to d later.
// Within that window, jobs are sorted by arrival; those with the same arrival stay in their order.
// The jobs that arrive within d of each other are kept in memory. [InFull] sorts the whole file, in
// memory: some 200 bytes for each job.
//
// Without Window, jobs must be in order of arrival, except in files that are written in order of the
// ends of tasks, as those of the recorder and of [OTLP]: these are sorted in full. A negative d is an
// error of the Workload.
func (f Format) Window(d time.Duration) Format {
	f.window = &d
	return f
}

// OnSkip returns the Format that calls skipped for each line that is well-formed and yields no job, with
// the reason: a job of [SWF] whose run time is unknown, or a line in which the recorder says how many
// records it had to drop. It calls it each time that the file is read, from the goroutine that iterates.
func (f Format) OnSkip(skipped func(*Error)) Format {
	f.onSkip = skipped
	return f
}

// Error is an error in a line of a trace, or the reason why the line is skipped.
type Error struct {
	Name   string // the name of the file
	Line   int    // the line, from 1; of a compressed file, that of its content
	Column string // the column, or empty if it concerns the whole line
	Err    error  // the reason
}

// Error returns the name of the file, the line, the column and the reason.
func (e *Error) Error() string {
	if e.Column != "" {
		return fmt.Sprintf("trace: %s, line %d, column %s: %v", e.Name, e.Line, e.Column, e.Err)
	}
	return fmt.Sprintf("trace: %s, line %d: %v", e.Name, e.Line, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// row is a line that has been read.
type row struct {
	workload.Job      // At may be relative to anything
	line         int  // where it begins
	sequence     int  // its number among the rows
	neverRan     bool // the service time is unknown
}

// Open returns the jobs of a file. The file is opened when the Workload is iterated, and read
// while it is iterated. Errors are those of the iteration, so Open itself always succeeds.
func Open(name string, f Format) workload.Jobs {
	return f.workload(name, func() (fs.File, error) { return os.Open(name) })
}

// OpenFS returns the jobs of a file of fsys, such as files embedded in a test. Otherwise it is like
// [Open].
func OpenFS(fsys fs.FS, name string, f Format) workload.Jobs {
	return f.workload(name, func() (fs.File, error) { return fsys.Open(name) })
}

func (f Format) workload(name string, open func() (fs.File, error)) workload.Jobs {
	return func(yield func(workload.Job, error) bool) {
		if err := f.each(name, open, func(j workload.Job) bool { return yield(j, nil) }); err != nil {
			yield(workload.Job{}, err)
		}
	}
}

// each calls yield for each job, until it returns false.
func (f Format) each(name string, open func() (fs.File, error), yield func(workload.Job) bool) error {
	if f.read == nil {
		return fmt.Errorf("trace: %s: the Format is empty; use one of the functions of package trace, such as CSV", name)
	}
	if f.window != nil && *f.window < 0 {
		return fmt.Errorf("trace: %s: the window is %v; it must not be negative", name, *f.window)
	}
	file, content, err := opened(name, open)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	in := &input{name: name, lines: lines{from: content, most: MaxLine}, onSkip: f.onSkip}
	o := order{in: in, given: f.window, yield: yield}
	for r, err := range f.read(in) {
		if err == nil {
			err = o.add(r)
		}
		if err != nil {
			return in.locate(err)
		}
		if o.stopped {
			return nil
		}
	}
	return in.locate(o.end())
}

// opened opens a file.
func opened(name string, open func() (fs.File, error)) (fs.File, *bufio.Reader, error) {
	file, err := open()
	if err != nil {
		return nil, nil, fmt.Errorf("trace: %w", err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		_ = file.Close() // it was not read
		return nil, nil, fmt.Errorf("trace: %s is a directory: name a file", name)
	}
	content, err := contentOf(file)
	if err != nil {
		_ = file.Close() // the other error says more
		return nil, nil, fmt.Errorf("trace: %s %w", name, err)
	}
	return file, content, nil
}

// input is what a format reads, and what it finds out about it.
type input struct {
	name   string
	lines  lines
	onSkip func(*Error)

	window    time.Duration // unless the user gives one
	unordered bool          // rows are sorted in full, whatever the user gives
	relative  bool          // times become relative to the first arrival
	dates     bool          // until then, they are relative to 1970
	recorded  bool          // tasks that never ran have no service time
}

// located is an error that says where it is, but not in which file.
type located struct {
	line   int
	column string
	err    error
}

func (e *located) Error() string { return e.err.Error() }

func (e *located) Unwrap() error { return e.err }

// at locates an error in a line. It returns nil for a nil error.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	return &located{line: line, err: err}
}

// locate returns the error that the user gets for an error of reading.
func (in *input) locate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errNoJobs) {
		return fmt.Errorf("trace: %s %w", in.name, err)
	}
	if e, ok := errors.AsType[*located](err); ok {
		return &Error{Name: in.name, Line: e.line, Column: e.column, Err: e.err}
	}
	return &Error{Name: in.name, Line: max(in.lines.number, 1), Err: err}
}

// time returns an arrival as the file has it.
func (in *input) time(at time.Duration) string {
	if in.dates {
		return time.Unix(0, int64(at)).UTC().Format("2006-01-02 15:04:05.999999999")
	}
	return string(appendSeconds(nil, at)) + "s"
}

// skip says that a line is skipped, and why.
func (in *input) skip(line int, reason error) {
	if in.onSkip != nil {
		in.onSkip(&Error{Name: in.name, Line: line, Err: reason})
	}
}
