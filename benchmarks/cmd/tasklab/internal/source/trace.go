package source

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"strings"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// NewFormat returns the format of the trace in a file.
type NewFormat func(name string) (trace.Format, error)

// Formats are the formats of traces.
var Formats = flagvalue.Menu[NewFormat]{
	Title: "With -format NAME, a trace is read as",
	Entries: []flagvalue.Entry[NewFormat]{
		{
			Name:    "detect",
			Meaning: "whichever of the others its name or its content suggests",
			Make:    flagvalue.Always[NewFormat](trace.Detect),
		},
		{
			Name:    "csv",
			Meaning: "CSV with the columns at,service and, if there are any, kind,key,priority,cost,deadline,fails",
			Make:    always(trace.CSV()),
		},
		{
			Name:    "swf",
			Meaning: "SWF, the Standard Workload Format of the Parallel Workloads Archive",
			Make:    always(trace.SWF()),
		},
		{
			Name:    "otlp",
			Meaning: "OTLP JSON lines of the spans of a manager, as the Collector's file exporter writes them",
			Make:    always(trace.OTLP("")),
		},
	},
}

// always returns the same format for all files.
func always(format trace.Format) func(flagvalue.Values) NewFormat {
	return flagvalue.Always[NewFormat](func(string) (trace.Format, error) { return format, nil })
}

// declareColumns declares the flags that map columns of any CSV file, except for
// -service.
func (s *Source) declareColumns(flags *flag.FlagSet) {
	for _, column := range []struct {
		value                *string
		name, means, written string
	}{
		{&s.columns.At, "at", "the time of the arrival", "EXPR"},
		{&s.columns.Kind, "kind", "the kind of a task", "COLUMN"},
		{&s.columns.Key, "key", "the key of a task, such as a tenant, (with -format otlp, an attribute)", "COLUMN"},
		{&s.columns.Priority, "priority", "the level for -queue priority", "EXPR"},
		{&s.columns.Cost, "cost", "the cost for -queue fair", "EXPR"},
		{&s.columns.Deadline, "deadline", "the deadline, in seconds after the arrival,", "EXPR"},
		{&s.columns.Fails, "fails", "how many executions fail before one succeeds", "EXPR"},
	} {
		flags.StringVar(column.value, column.name, *column.value, "read "+column.means+" from `"+column.written+"` of a CSV trace; see below")
	}
}

// mapped reports whether the user mapped columns.
func (s *Source) mapped() bool {
	return !s.spans() && (s.columns != trace.Mapping{} || s.given["service"])
}

// spans reports whether the trace has spans, and at most -key says something about
// them.
func (s *Source) spans() bool {
	return s.format.Name == "otlp" && s.columns == trace.Mapping{Key: s.columns.Key} && !s.given["service"]
}

// checkTrace adds what is wrong with the flags for a trace.
func (s *Source) checkTrace(f *flagvalue.Faults) {
	f.Require(s.window >= 0, "-window is %v; it must be 0 or more", s.window)
	if !s.mapped() {
		return
	}
	f.Require(s.columns.At != "", "-at is missing; it names the column of the arrivals, as -service does for the service times")
	f.Require(s.given["service"], "-service is missing; it names the column of the service times, as -at does for the arrivals")
	f.Require(!s.given["format"], "-format and the flags for columns exclude each other; leave out one of them")
	if len(*f) > 0 {
		return
	}
	if _, err := s.traceFormat(); err != nil {
		f.Add("%w", err)
	}
}

// traceFormat returns the format of the trace.
func (s *Source) traceFormat() (trace.Format, error) {
	if s.mapped() {
		m := s.columns
		m.Service = s.service
		return trace.Columns(m)
	}
	if s.spans() {
		return trace.OTLP(s.columns.Key), nil
	}
	return s.format.Value(s.file)
}

// open returns the tasks of the trace.
func (s *Source) open(ctx context.Context) simulate.Workload {
	format, err := s.traceFormat()
	if err != nil {
		return func(yield func(simulate.Job, error) bool) { yield(simulate.Job{}, err) }
	}
	if s.given["window"] {
		format = format.Window(s.window)
	}
	return trace.OpenFS(files{ctx}, s.file, format.OnSkip(s.skips.note))
}

// files are the files of the system, until ctx ends. A trace that must be sorted is read in full
// before its first task, which may take long.
type files struct{ ctx context.Context }

// Open implements [fs.FS], for any path.
func (f files) Open(name string) (fs.File, error) {
	opened, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return file{opened, f.ctx}, nil
}

// file is a file that cannot be read when ctx has ended.
type file struct {
	fs.File
	ctx context.Context
}

// Read implements [fs.File].
func (f file) Read(b []byte) (int, error) {
	if f.ctx.Err() != nil {
		return 0, context.Cause(f.ctx)
	}
	return f.File.Read(b)
}

// weights is the value of a flag that lists weights of keys.
type weights []flagvalue.Weight

// Set reads a list such as a=3,b=1. After an error the weights are as before.
func (w *weights) Set(list string) error {
	read, err := flagvalue.ParseWeights(strings.Split(list, ","))
	if err == nil {
		*w = read
	}
	return err
}

// String returns the list.
func (w *weights) String() string { return strings.Join(flagvalue.FormatWeights(*w), ",") }
