package trace_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// FuzzFormats reads any content in each format. It must yield valid jobs in order, or one error at the
// end whose text is a line, and the same each time.
func FuzzFormats(f *testing.F) {
	for _, seed := range []string{
		"", "at,service\n", "at,service\n1,2\n0.5,1e3\n", "\xef\xbb\xbfservice , AT\n\"1\", \"2\"\n", "at,service,key\n1,1,\"a\"\"\r\nb\"\n",
		trace.Header + "5,1,k,,,,,,0,success\n4,,k,,,,,,0,shed\n# dropped 3\n", "at,service\n9223372036.854775807,0\n9223372036,1\n",
		"a,b\n2023-11-16 18:17:03.9799600,1\n", "a;b\n1;2\n", swf, "1 0 -1 5 128 -1 -1 -1 -1 -1 1 1 1 1 1 -1 -1 -1",
		run(10, 12, 1, "failure") + run(13, 15, 2, "success") + ended(16, "2", "shed"), `{"resourceSpans":[{}]}`, "\x1f\x8b\x08",
	} {
		f.Add([]byte(seed))
		f.Add(gzipped(seed))
	}
	table, err := trace.Columns(trace.Mapping{
		At: "a", Service: "2*a+`b`", Kind: "a", Key: "b", Priority: "-b", Cost: "b", Deadline: "b/3", Fails: "b",
	})
	check.Equal(f, "error of Columns", err, nil)
	f.Fuzz(func(t *testing.T, content []byte) {
		files := fstest.MapFS{"x": {Data: content}}
		detected, err := trace.DetectFS(files, "x")
		if err != nil {
			detected = trace.CSV()
		}
		for _, format := range []trace.Format{
			detected, trace.CSV(), trace.CSV().Window(1e9), trace.CSV().Window(trace.InFull), table, trace.SWF(), trace.OTLP("b"),
		} {
			w := trace.OpenFS(files, "x", format)
			jobs, failed := read(w)
			if strings.ContainsAny(failed, "\n\r\x00") || failed != "" && !strings.HasPrefix(failed, "trace: x") {
				t.Errorf("the error is %q", failed)
			}
			if !slices.IsSortedFunc(jobs, byArrival) {
				t.Errorf("the jobs are not in order: %v", jobs)
			}
			for _, j := range jobs {
				if j.At < 0 || j.Service < 0 || j.At+j.Service < 0 || j.Deadline < 0 || j.At+j.Deadline < 0 || j.Cost < 0 || j.Fails < 0 {
					t.Errorf("invalid job %+v", j)
				}
			}
			again, failedAgain := read(w)
			if !slices.Equal(again, jobs) || failedAgain != failed {
				t.Errorf("another iteration yields %v and %q, the first one %v and %q", again, failedAgain, jobs, failed)
			}
		}
	})
}

// FuzzColumns parses any expression. It must be rejected, or be read back.
func FuzzColumns(f *testing.F) {
	for _, seed := range []string{"", "a", "-a+2*`b c`/3e-1", "1+", "``", "(", "a*b", "größe.x_1", "\xff", "1e+", "2e5e", ".5", "0x1p4", "+-a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		format, err := trace.Columns(trace.Mapping{At: "at", Service: expression, Key: expression})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "trace: ") || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		for _, err := range trace.OpenFS(fstest.MapFS{"x": {Data: []byte("at,a\n0,1\n")}}, "x", format) {
			_ = err // it must not panic
		}
	})
}
