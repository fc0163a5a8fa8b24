package run

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

var testConfig = command{
	manager: settings.Manager{
		Min: 1, Max: 1, IdleTimeout: time.Minute, Limit: 10, Overflow: settings.Overflows.Choose(), Grace: time.Minute,
	},
	dir:     "DIR",
	queue:   settings.Disciplines.Choose(),
	scaler:  settings.Scalers.Choose(),
	restart: settings.Restarts.Choose(),
	retries: 3,
}

// quietly reads files without a display.
func quietly(ctx context.Context, cfg command, files fs.FS) (Report, error) {
	return cfg.read(ctx, files, progress.New(io.Discard))
}

// outcome is the part of a report that most tests check.
type outcome struct {
	Found, Read, Unfinished, Restarts int
	Bytes                             int64
	Failures                          []Failure
}

// account checks that a report counts every file once: in total, and by key.
func account(t *testing.T, r Report) {
	t.Helper()
	var keys measure.Tally
	for _, k := range append(r.Keys, KeyReport{Key: "all", Tally: r.Tally}) {
		if sum := k.Read + k.Failed + k.Shed + k.Dropped + k.Unfinished; sum != k.Found {
			t.Errorf("key %s: %d files found, and %d read, failed, shed, dropped or unfinished", k.Key, k.Found, sum)
		}
		if k.Key != "all" {
			keys.Add(k.Tally)
		}
	}
	if diff := cmp.Diff(r.Tally, keys); diff != "" {
		t.Error("sum of the keys (-whole +sum):\n" + diff)
	}
	if r.Read != len(r.files) || r.Failed > len(r.Failures) {
		t.Errorf("%d files read, %d of them listed; %d failed, %d failures listed", r.Read, len(r.files), r.Failed, len(r.Failures))
	}
}

func check(t *testing.T, r Report, want outcome) {
	t.Helper()
	account(t, r)
	if want.Failures == nil {
		want.Failures = []Failure{}
	}
	got := outcome{r.Found, r.Read, r.Unfinished, r.Restarts, r.Bytes, r.Failures}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("report (-want +got):\n" + diff)
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := labtest.Tree(t, map[string]string{"good": "good", "secret": "secret"})
	if err := os.Chmod(filepath.Join(dir, "secret"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "secret")); err == nil {
		t.Skip("this user may read everything")
	}
	rep, err := quietly(t.Context(), testConfig, workload.Directory(dir))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 2, Read: 1, Restarts: 3, Bytes: 4, Failures: []Failure{
		{"secret", "open: permission denied", 4},
	}})
}

func TestFileWhoseNameIsNotUTF8(t *testing.T) {
	const name = "lat\xe9"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o600); err != nil {
		t.Skip("the file system does not take such names:", err)
	}
	rep, err := quietly(t.Context(), testConfig, workload.Directory(dir))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 1, Read: 1, Bytes: 2})
}

func TestVanishingFile(t *testing.T) {
	for _, retries := range []int{2, 0} {
		dir := labtest.Tree(t, map[string]string{"good": "good", "vanishing": "?"})
		files := labtest.Replace(workload.Directory(dir), "vanishing", func(before int64) (fs.File, error) {
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
		check(t, rep, outcome{Found: 2, Read: 1, Restarts: retries, Bytes: 4, Failures: []Failure{
			{"vanishing", "open: no such file or directory", retries + 1},
		}})
	}
}

// What a failed attempt reads does not count.
func TestFileThatRecovers(t *testing.T) {
	base := labtest.Map("flaky", "content\n")
	files := labtest.Replace(base, "flaky", func(before int64) (fs.File, error) {
		if before > 0 {
			return nil, nil
		}
		return labtest.With(base, "flaky", iotest.TimeoutReader(iotest.OneByteReader(labtest.ReaderFunc(func(p []byte) (int, error) {
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
		files := labtest.Replace(labtest.Map("closed/1", "1", "open/2", "2"), dir, func(int64) (fs.File, error) {
			return nil, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrPermission}
		})
		rep, err := quietly(t.Context(), testConfig, files)
		if err != nil {
			t.Fatal(err)
		}
		want := outcome{Failures: []Failure{{dir, "open: permission denied", 1}}}
		if dir != "." {
			want.Found, want.Read, want.Bytes = 1, 1, 1
		}
		check(t, rep, want)
	}
}

// endless is content that interrupts the run when it is read, and that ends only
// with the context of its task.
func endless(interrupt func()) io.Reader {
	return labtest.ReaderFunc(func(p []byte) (int, error) {
		interrupt()
		return len(p), nil
	})
}

func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := labtest.Map("a", "a", "b", "", "c", "c")
	rep, err := quietly(ctx, testConfig, labtest.Replace(base, "b", func(int64) (fs.File, error) {
		return labtest.With(base, "b", endless(interrupt))
	}))
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Interrupted {
		t.Error("the report does not say that it was interrupted")
	}
	// Whether the walk reached c depends on chance.
	check(t, rep, outcome{Found: rep.Found, Read: 1, Unfinished: rep.Found - 1, Bytes: 1})
}

// An interrupt does not hide an earlier failure.
func TestInterruptOfRestarted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := labtest.Map("a", "")
	rep, err := quietly(ctx, testConfig, labtest.Replace(base, "a", func(before int64) (fs.File, error) {
		if before == 0 {
			return nil, errors.New("bad luck")
		}
		return labtest.With(base, "a", endless(interrupt))
	}))
	if err != nil {
		t.Fatal(err)
	}
	check(t, rep, outcome{Found: 1, Restarts: 1, Failures: []Failure{{"a", "bad luck", 2}}})
}

// With caller-runs the walk reads files itself. An interrupt ends that too.
func TestInterruptOfWalkThatReads(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	base := labtest.Map("a", "", "b", "")
	both := make(chan struct{}) // are being read
	files := labtest.Hook(base, func(path string) (fs.File, error) {
		switch path {
		case "a":
			return labtest.With(base, path, endless(func() { <-both }))
		case "b":
			close(both)
			return labtest.With(base, path, endless(interrupt))
		}
		return nil, nil
	})
	cfg := testConfig
	cfg.manager.Limit = 0
	if err := cfg.manager.Overflow.Set("caller-runs"); err != nil {
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
	base := labtest.Map("a", "")
	cfg := testConfig
	cfg.manager.Grace = 0
	rep, err := quietly(ctx, cfg, labtest.Replace(base, "a", func(int64) (fs.File, error) {
		return labtest.With(base, "a", labtest.ReaderFunc(func([]byte) (int, error) {
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
