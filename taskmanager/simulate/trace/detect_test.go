package trace_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

func gzipped(content string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(content)) // to memory
	_ = w.Close()
	return b.Bytes()
}

func TestDetect(t *testing.T) {
	const csv = "# a comment\n\nat,service\n1,2\n"
	span := run(10, 12, 1, "success")
	for _, c := range []struct{ name, content string }{
		{"jobs", csv}, {"jobs.csv", csv}, {"jobs.CSV.gz", csv}, {"jobs.swf", swf}, {"log", swf}, {"log.gz", swf},
		{"no comments", strings.Repeat("1 ", 18) + "\n"}, {"spans.json", span}, {"spans.jsonl.gz", "\n" + span}, {"spans", "\n" + span},
	} {
		for _, content := range [][]byte{[]byte(c.content), gzipped(c.content)} {
			files := fstest.MapFS{c.name: {Data: content}}
			f, err := trace.DetectFS(files, c.name)
			check.Equal(t, "error of Detect for "+c.name, err, nil)
			jobs, failed := read(trace.OpenFS(files, c.name, f))
			check.Equal(t, "error for "+c.name, failed, "")
			if len(jobs) == 0 {
				t.Errorf("%s: no jobs", c.name)
			}
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	missing, empty := filepath.Join(dir, "missing"), filepath.Join(dir, "empty.gz")
	check.Equal(t, "error of WriteFile", os.WriteFile(empty, gzipped(""), 0o600), nil)
	_, notThere := os.Open(missing)
	for name, want := range map[string]string{
		missing: "trace: " + notThere.Error(),
		dir:     "trace: " + dir + " is a directory: name a file",
		empty:   "trace: " + empty + " is empty",
	} {
		_, failed := read(trace.Open(name, trace.CSV()))
		check.Equal(t, "error of Open", failed, want)
		_, err := trace.Detect(name)
		check.Equal(t, "error of Detect", err.Error(), want)
	}
	_, err := trace.Detect(missing)
	check.Is(t, "Detect", err, fs.ErrNotExist)

	csv := "at,service\n" + strings.Repeat("1,1\n", 100_000)
	truncated := gzipped(csv)
	jobs, failed := read(file("x.csv.gz", truncated[:len(truncated)-8], trace.CSV()))
	check.Equal(t, "jobs before the end", len(jobs), 100_000)
	check.Equal(t, "error", failed, "trace: x.csv.gz, line 100002: cannot be read: unexpected EOF")

	_, failed = read(file("x.csv", csv, trace.Format{}))
	check.Equal(t, "error", failed, "trace: x.csv: the Format is empty; use one of the functions of package trace, such as CSV")
}

func TestErrorsSayWhere(t *testing.T) {
	for _, err := range file("x.csv", "at,service\n1,x\n", trace.CSV()) {
		e, ok := errors.AsType[*trace.Error](err)
		if !ok {
			t.Fatalf("%v is a %T", err, err)
		}
		check.Equal(t, "place", trace.Error{Name: e.Name, Line: e.Line, Column: e.Column}, trace.Error{Name: "x.csv", Line: 2, Column: "service"})
	}
}
