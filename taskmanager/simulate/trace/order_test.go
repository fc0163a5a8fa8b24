package trace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

func TestTheWindowSortsOrRejects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.SampledFrom([]int{0, 1, 2, 3, 10, 40}).Draw(t, "window")) * time.Second
		if rapid.IntRange(0, 4).Draw(t, "in full") == 0 {
			window = trace.InFull
		}
		content := "at,service,key\n"
		var want []simulate.Job
		latest, wrong := time.Duration(0), 0 // the first line that comes too late
		for i, at := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 30).Draw(t, "arrivals") {
			if rapid.Bool().Draw(t, "later") {
				at += i // the more rows, the later
			}
			j := simulate.Job{At: time.Duration(at) * time.Second, Key: fmt.Sprint(i)}
			content += fmt.Sprintf("%d,0,%d\n", at, i)
			latest = max(latest, j.At)
			if wrong == 0 && latest-j.At > window {
				wrong = i + 2
			}
			want = append(want, j)
		}
		slices.SortStableFunc(want, byArrival)
		got, failed := read(file("x.csv", content, trace.CSV().Window(window)))
		if wrong == 0 {
			check.Equal(t, "error", failed, "")
			check.Equal(t, "jobs", got, want)
			return
		}
		if !strings.HasPrefix(failed, fmt.Sprintf("trace: x.csv, line %d: the job arrives at ", wrong)) {
			t.Errorf("the error is %q, want one of line %d", failed, wrong)
		}
		if !slices.IsSortedFunc(got, byArrival) {
			t.Errorf("the jobs before the error are not in order: %v", got)
		}
	})
}

func TestTheWindowThatAnErrorAdvisesIsEnough(t *testing.T) {
	const content = "at,service\n9,1\n7,1\n10,1\n4,1\n"
	_, failed := read(file("x.csv", content, trace.CSV().Window(3*time.Second)))
	check.Equal(t, "error", failed, "trace: x.csv, line 5: the job arrives at 4s, 6s before the one of line 4, at 10s: sort the file by arrival, or give a window of at least 6s")
	got, failed := read(file("x.csv", content, trace.CSV().Window(6*time.Second)))
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs", len(got), 4)
	_, failed = read(file("x.csv", content, trace.CSV().Window(-1)))
	check.Equal(t, "error", failed, "trace: x.csv: the window is -1ns; it must not be negative")
}

// generated is a file with a header, and n lines of a text that is repeated.
type generated struct {
	header, line string
	n            int
	fails        error // after the lines; nil: the end of the file
}

// generator is a file system in which each file is the same, and that counts them.
type generator struct {
	generated
	opened, open atomic.Int64
}

func (g *generator) Open(string) (fs.File, error) {
	g.opened.Add(1)
	g.open.Add(1)
	return &generatedFile{of: g, rest: g.header}, nil
}

type generatedFile struct {
	of    *generator
	lines int
	rest  string
}

func (f *generatedFile) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if f.rest == "" {
			switch {
			case f.lines < f.of.n:
				f.lines++
				f.rest = f.of.line
			case f.of.fails != nil:
				return n, f.of.fails
			default:
				return n, io.EOF
			}
		}
		copied := copy(b[n:], f.rest)
		n += copied
		f.rest = f.rest[copied:]
	}
	return n, nil
}

func (f *generatedFile) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }

func (f *generatedFile) Close() error {
	f.of.open.Add(-1)
	return nil
}

func columns(t testing.TB) trace.Format {
	f, err := trace.Columns(trace.Mapping{At: "at", Service: "0.5*a+0.25*b", Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// streams are files of which each line is a job. They are read in constant memory.
func streams(t testing.TB) map[string]struct {
	generated
	format trace.Format
} {
	return map[string]struct {
		generated
		format trace.Format
	}{
		"csv":    {generated{header: "at,service,kind,key,priority,cost,deadline,fails\n", line: "1700.123456789,0.0125,mail,tenant-7,2,12500,0.5,\n"}, trace.CSV()},
		"quotes": {generated{header: "at,service,key\n", line: "3,1,\"a \"\"quoted\"\"\nkey\"\n"}, trace.CSV()},
		"window": {generated{header: "at,service\n", line: "3,1\n"}, trace.CSV().Window(time.Second - 1)},
		"table":  {generated{header: "at,a,b,key\n", line: "2023-11-16 18:17:03.9799600,4808,10,x\n"}, columns(t)},
		"swf":    {generated{header: "; Version: 2\n", line: "1 100 -1 1451 128 -1 -1 -1 -1 -1 1 1 1 1 1 -1 -1 -1\n"}, trace.SWF()},
	}
}

func TestMemoryDoesNotDependOnTheNumberOfRows(t *testing.T) {
	for name, s := range streams(t) {
		if name == "window" {
			continue // all jobs arrive at once, so all are within the window
		}
		// retained returns how much memory is in use at the end of so many rows.
		retained := func(n int) int64 {
			g := &generator{generated: generated{header: s.header, line: s.line, n: n}}
			var m runtime.MemStats
			rows := 0
			for _, err := range trace.OpenFS(g, "x", s.format) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if rows++; rows == n {
					runtime.GC()
					runtime.ReadMemStats(&m)
				}
			}
			return int64(m.HeapAlloc)
		}
		few, many := retained(1e4), retained(1e5)
		if grown := many - few; grown > 100<<10 {
			t.Errorf("%s: %d bytes more in use after 100,000 rows than after 10,000", name, grown)
		}
	}
}

func TestFilesAreClosed(t *testing.T) {
	broken := errors.New("broken disk")
	for _, c := range []struct {
		what  string
		fails error
		line  string
		stop  bool
		want  string
	}{
		{"the end", nil, "1,1\n", false, ""},
		{"a break", nil, "1,1\n", true, ""},
		{"a malformed line", nil, "1,x\n", false, `trace: x, line 2, column service: "x" is not a number of seconds`},
		{"an error of the file", broken, "1,1\n", false, "trace: x, line 5: cannot be read: broken disk"},
		{"an early error of the file", broken, "", false, "trace: x cannot be read: broken disk"},
	} {
		g := &generator{generated: generated{header: "at,service\n", line: c.line, n: 3, fails: c.fails}}
		if c.line == "" {
			g.header = ""
		}
		w := trace.OpenFS(g, "x", trace.CSV())
		check.Equal(t, "files opened before the iteration", g.opened.Load(), 0)
		for range 2 {
			failed := ""
			for _, err := range w {
				if err != nil {
					failed = err.Error()
					check.Equal(t, "the error of the file is wrapped", errors.Is(err, broken), c.fails != nil)
				}
				if c.stop {
					break
				}
			}
			check.Equal(t, "error after "+c.what, failed, c.want)
		}
		check.Equal(t, "files open after "+c.what, g.open.Load(), 0)
		check.Equal(t, "files opened", g.opened.Load(), 2)
	}
}

func TestAWorkloadCanBeIteratedConcurrently(t *testing.T) {
	for name, s := range streams(t) {
		g := &generator{generated: generated{header: s.header, line: s.line, n: 100}}
		w := trace.OpenFS(g, "x", s.format)
		want, failed := read(w)
		check.Equal(t, "error for "+name, failed, "")
		check.Equal(t, "jobs of "+name, len(want), 100)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				got, _ := read(w)
				check.Equal(t, "jobs of another iteration of "+name, got, want)
			})
		}
		wg.Wait()
		for _, err := range w {
			check.Equal(t, "error before a break", err, nil)
			break
		}
		check.Equal(t, "files open", g.open.Load(), 0)
	}
}

func TestWriteReturnsErrors(t *testing.T) {
	broken := errors.New("broken")
	var b bytes.Buffer
	err := trace.Write(&b, func(yield func(simulate.Job, error) bool) {
		_ = yield(simulate.Job{At: 1500 * time.Millisecond, Service: 1}, nil) && yield(simulate.Job{}, broken)
	})
	check.Is(t, "Write", err, broken)
	check.Equal(t, "what was written before the error", b.String(),
		"at,service,kind,key,priority,cost,deadline,fails\n1.5,0.000000001,,,,,,\n")
	g := &generator{generated: generated{header: "at,service\n", line: "1,1\n", n: 10_000}}
	check.Is(t, "Write", trace.Write(failing{broken}, trace.OpenFS(g, "x", trace.CSV())), broken)
	check.Equal(t, "files open", g.open.Load(), 0)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAppendDoesNotAllocate(t *testing.T) {
	r := trace.Record{Job: simulate.Job{At: 1, Kind: "a", Key: "b,c", Cost: 3}, Outcome: "success"}
	b := make([]byte, 0, 1000)
	check.Equal(t, "allocations", testing.AllocsPerRun(100, func() { b = trace.AppendDropped(r.Append(b[:0]), 3) }), 0)
}

func BenchmarkRead(b *testing.B) {
	formats := streams(b)
	formats["otlp"] = struct {
		generated
		format trace.Format
	}{generated{line: run(10, 12, 1, "success")}, trace.OTLP("")}
	for name, s := range formats {
		b.Run(name, func(b *testing.B) {
			g := &generator{generated: generated{header: s.header, line: s.line, n: b.N}}
			b.SetBytes(int64(len(s.line)))
			b.ReportAllocs()
			n := 0
			for _, err := range trace.OpenFS(g, "x", s.format) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != b.N {
				b.Fatalf("%d jobs, want %d", n, b.N)
			}
		})
	}
}
