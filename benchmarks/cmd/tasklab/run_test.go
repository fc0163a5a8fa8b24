package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// hooked is a file system in which some files are not what they seem. The hook
// may return neither a file nor an error, for the file as it is.
type hooked struct {
	fs.FS
	open func(path string) (fs.File, error)
}

func (h hooked) Open(path string) (fs.File, error) {
	if f, err := h.open(path); f != nil || err != nil {
		return f, err
	}
	return h.FS.Open(path)
}

// odd is a file with other content.
type odd struct {
	fs.File
	io.Reader
}

func (o odd) Read(p []byte) (int, error) { return o.Reader.Read(p) }

// reader makes a reader of a function.
type reader func(p []byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

// mapFS makes a file system of path and content in turn.
func mapFS(pathsAndContents ...string) fstest.MapFS {
	m := make(fstest.MapFS)
	for i := 0; i < len(pathsAndContents); i += 2 {
		m[pathsAndContents[i]] = &fstest.MapFile{Data: []byte(pathsAndContents[i+1])}
	}
	return m
}

// replace hooks one file: open is told how often it was opened before.
func replace(files fs.FS, path string, open func(before int64) (fs.File, error)) fs.FS {
	var opened atomic.Int64
	return hooked{files, func(p string) (fs.File, error) {
		if p != path {
			return nil, nil
		}
		return open(opened.Add(1) - 1)
	}}
}

// with returns the named file with other content.
func with(files fs.FS, path string, r io.Reader) (fs.File, error) {
	f, err := files.Open(path)
	return odd{f, r}, err
}

var testConfig = runConfig{
	settings: settings{min: 1, max: 1, idleTimeout: time.Minute, limit: 10, overflow: choose(overflows), grace: time.Minute},
	dir:      "DIR",
	queue:    choose(disciplines),
	scaler:   choose(scalers, scalerVariants...),
	restart:  choose(restarts),
	retries:  3,
}

// quietly runs without a display.
func quietly(ctx context.Context, cfg runConfig, files fs.FS) (report, error) {
	return run(ctx, cfg, files, lines{io.Discard})
}

// outcome is what the tests below look at.
type outcome struct {
	Found, Read, Unfinished, Restarts int
	Bytes                             int64
	Failures                          []failure
}

// account checks that a report tells of every file once: as a whole, and key by
// key.
func account(t *testing.T, r report) {
	t.Helper()
	var keys tally
	for _, k := range append(r.Keys, keyReport{Key: "all", tally: r.tally}) {
		if sum := k.Read + k.Failed + k.Shed + k.Dropped + k.Unfinished; sum != k.Found {
			t.Errorf("key %s: %d files found, and %d read, failed, shed, dropped or unfinished", k.Key, k.Found, sum)
		}
		if k.Key != "all" {
			keys.add(k.tally)
		}
	}
	if diff := cmp.Diff(r.tally, keys); diff != "" {
		t.Error("sum of the keys (-whole +sum):\n" + diff)
	}
	if r.Read != len(r.files) || r.Failed > len(r.Failures) {
		t.Errorf("%d files read, %d of them listed; %d failed, %d failures listed", r.Read, len(r.files), r.Failed, len(r.Failures))
	}
}

func check(t *testing.T, r report, want outcome) {
	t.Helper()
	account(t, r)
	if want.Failures == nil {
		want.Failures = []failure{}
	}
	got := outcome{r.Found, r.Read, r.Unfinished, r.Restarts, r.Bytes, r.Failures}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("report (-want +got):\n" + diff)
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := tree(t, map[string]string{"good": "good", "secret": "secret"})
	if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "secret")); err == nil {
		t.Skip("this user may read everything")
	}
	rep, err := quietly(t.Context(), testConfig, directory(dir))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 2, Read: 1, Restarts: 3, Bytes: 4, Failures: []failure{
		{"secret", "open: permission denied", 4},
	}})
}

func TestFileWhoseNameIsNotUTF8(t *testing.T) {
	const name = "lat\xe9"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o600); err != nil {
		t.Skip("the file system does not take such names:", err)
	}
	rep, err := quietly(t.Context(), testConfig, directory(dir))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 1, Read: 1, Bytes: 2})
}

func TestVanishingFile(t *testing.T) {
	for _, retries := range []int{2, 0} {
		dir := tree(t, map[string]string{"good": "good", "vanishing": "?"})
		files := replace(directory(dir), "vanishing", func(before int64) (fs.File, error) {
			if before == 0 {
				return nil, os.Remove(filepath.Join(dir, "vanishing"))
			}
			return nil, nil
		})
		cfg := testConfig
		cfg.retries = retries
		rep, err := quietly(t.Context(), cfg, files)
		if err != nil {
			t.Fatal(err)
		}
		check(t, rep, outcome{Found: 2, Read: 1, Restarts: retries, Bytes: 4, Failures: []failure{
			{"vanishing", "open: no such file or directory", retries + 1},
		}})
	}
}

// What the failed attempt has read does not count.
func TestFileThatRecovers(t *testing.T) {
	base := mapFS("flaky", "content\n")
	files := replace(base, "flaky", func(before int64) (fs.File, error) {
		if before > 0 {
			return nil, nil
		}
		return with(base, "flaky", iotest.TimeoutReader(iotest.OneByteReader(reader(func(p []byte) (int, error) {
			return copy(p, "\n"), nil
		}))))
	})
	rep, err := quietly(t.Context(), testConfig, files)
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 1, Read: 1, Restarts: 1, Bytes: 8})
	if want := sum(sum("content\n") + "  flaky\n"); rep.Lines != 1 || rep.Digest != want {
		t.Errorf("%d lines, digest %s; want 1, %s", rep.Lines, rep.Digest, want)
	}
}

func TestUnreadableDirectory(t *testing.T) {
	for _, dir := range []string{"closed", "."} {
		files := replace(mapFS("closed/1", "1", "open/2", "2"), dir, func(int64) (fs.File, error) {
			return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrPermission}
		})
		rep, err := quietly(t.Context(), testConfig, files)
		if err != nil {
			t.Fatal(err)
		}
		want := outcome{Failures: []failure{{dir, "open: permission denied", 1}}}
		if dir != "." {
			want.Found, want.Read, want.Bytes = 1, 1, 1
		}
		check(t, rep, want)
	}
}

// endless is content that interrupts the run when it is read, and only ends
// when its task is told to.
func endless(interrupt func()) io.Reader {
	return reader(func(p []byte) (int, error) {
		interrupt()
		return len(p), nil
	})
}

func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := mapFS("a", "a", "b", "", "c", "c")
	rep, err := quietly(ctx, testConfig, replace(base, "b", func(int64) (fs.File, error) {
		return with(base, "b", endless(interrupt))
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Interrupted {
		t.Error("the report does not say that it was interrupted")
	}
	// Whether the walk came to c, and so found it, is a matter of chance.
	check(t, rep, outcome{Found: rep.Found, Read: 1, Unfinished: rep.Found - 1, Bytes: 1})
}

// An interrupt does not make a failure unseen.
func TestInterruptOfRestarted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := mapFS("a", "")
	rep, err := quietly(ctx, testConfig, replace(base, "a", func(before int64) (fs.File, error) {
		if before == 0 {
			return nil, errors.New("bad luck")
		}
		return with(base, "a", endless(interrupt))
	}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 1, Restarts: 1, Failures: []failure{{"a", "bad luck", 2}}})
}

// With caller-runs the walk reads files itself. An interrupt is for them too.
func TestInterruptOfWalkThatReads(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := mapFS("a", "", "b", "")
	both := make(chan struct{}) // are being read
	files := hooked{base, func(path string) (fs.File, error) {
		switch path {
		case "a":
			return with(base, path, endless(func() { <-both }))
		case "b":
			close(both)
			return with(base, path, endless(interrupt))
		}
		return nil, nil
	}}
	cfg := testConfig
	cfg.limit = 0
	if err := cfg.overflow.Set("caller-runs"); err != nil {
		t.Fatal(err)
	}
	rep, err := quietly(ctx, cfg, files)
	if err != nil || !rep.Interrupted {
		t.Errorf("err %v, interrupted %t", err, rep.Interrupted)
	}
	check(t, rep, outcome{Found: 2, Unfinished: 2})
}

func TestInterruptOfHungRead(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	hung := make(chan struct{})
	defer close(hung)
	base := mapFS("a", "")
	cfg := testConfig
	cfg.grace = 0
	rep, err := quietly(ctx, cfg, replace(base, "a", func(int64) (fs.File, error) {
		return with(base, "a", reader(func([]byte) (int, error) {
			interrupt()
			<-hung
			return 0, io.EOF
		}))
	}))
	stopError, ok := errors.AsType[*taskmanager.StopError](err)
	if !ok || !cmp.Equal(stopError.Running, []string{"a"}) {
		t.Errorf("err = %v", err)
	}
	check(t, rep, outcome{Found: 1, Unfinished: 1})
}
