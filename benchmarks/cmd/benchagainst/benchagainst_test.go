package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A comparison of the last commit with the working tree runs the same workloads on both. They
// are different packages, which have no package of the library in common.
func TestCompareWithTheLastCommit(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the library twice")
	}
	r, err := openRepository(t.Context(), ".")
	if err != nil {
		t.Skip("needs a git checkout: ", err)
	}
	hash, _, err := r.commit(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	old, err := r.files(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	w, err := prepare(t.Context(), t.TempDir(), r.dir, old)
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "GOFLAGS="+os.Getenv("GOFLAGS")) // those of the test, for which other packages are compiled
	program, err := w.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse([]string{"-rev", "HEAD", "-quick", "-rounds", "8", "-run", "(Pool.Submit|SubmitFunc), 2 workers|latency, Pool.Submit$"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	results, err := execute(t.Context(), program, c.Config, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 3 {
		t.Fatalf("there are %d results, want 3", len(results))
	}
	for _, result := range results {
		for _, f := range result.Figures {
			s := summarise(f)
			// Times vary, as other tests run meanwhile, but not that much. The largest latencies do:
			// they are those of tasks that wait for a processor.
			tail := strings.HasPrefix(f.Name, "p99")
			if len(f.Old) < 4 || len(f.New) != len(f.Old) || !tail && !s.nothing() && (s.Ratio < 0.1 || s.Ratio > 10) {
				t.Errorf("%s, %s: %+v", result.Workload, f.Name, f)
			}
		}
	}
	checkPackages(t, w)
}

// checkPackages checks that each package of the library is there twice, and never as itself.
func checkPackages(t *testing.T, w workspace) {
	t.Helper()
	list, err := command(t.Context(), w.dir, w.env, "go", "list", "-deps", w.root+"/run")
	if err != nil {
		t.Fatal(err)
	}
	sides := map[string][]string{}
	for path := range strings.Lines(string(list)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(path), w.root+"/"); ok {
			side, name, _ := strings.Cut(rest, "/")
			sides[side] = append(sides[side], name)
		}
	}
	for side, packages := range sides {
		joined := strings.Join(packages, " ")
		switch side {
		case "old", "new":
			for _, want := range []string{"scheduler", "taskmanager", "queue", "ours"} {
				if !strings.Contains(" "+joined+" ", " "+want+" ") {
					t.Errorf("%s has the packages %s, without %s", side, joined, want)
				}
			}
		case "run":
		default:
			t.Errorf("the program has the packages %s of %s, which is no side", joined, side)
		}
	}
	if len(sides) != 3 {
		t.Errorf("the program has packages of %d modules, want 3", len(sides))
	}
}

// Flags with faults are errors that say what to do.
func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-rev is missing; give the revision"},
		{[]string{"-rev", "HEAD", "more"}, `unexpected argument "more"`},
		{[]string{"-rev", "HEAD", "-workers", "2,x"}, `-workers: "x" is no positive number; give a list`},
		{[]string{"-rev", "HEAD", "-workers", "0"}, `-workers: "0"`},
		{[]string{"-rev", "HEAD", "-rounds", "-1"}, "-rounds must be positive"},
		{[]string{"-rev", "HEAD", "-run", "("}, "-run: error parsing regexp"},
		{[]string{"-rev", "HEAD", "-run", "nowhere"}, "-run: no workload matches \"nowhere\"; there are\n\tPool.Submit, 2 workers\n"},
	} {
		if _, err := parse(c.args, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.args, err, c.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	for quick, want := range map[string]int{"-quick=false": allRounds, "-quick": quickRounds} {
		c, err := parse([]string{"-rev", "HEAD", quick}, io.Discard)
		if err != nil || c.Rounds != want || len(c.Workers) != 2 || c.Workers[0] != 2 || c.Workers[1] != 100 {
			t.Errorf("%s: %+v, %v", quick, c, err)
		}
	}
}

// library is a repository with what a comparison needs, and hardly more. The workload calls F.
func library() map[string]string {
	return map[string]string{
		"go.mod":                                         "module example.org/m\n\ngo 1.26.0\n",
		"scheduler/s.go":                                 "package scheduler\n",
		"taskmanager/t.go":                               "package taskmanager\n\n// F does nothing.\nfunc F() {}\n",
		"internal/yardstick/y.go":                        "package yardstick\n",
		"benchmarks/go.mod":                              "module example.org/m/benchmarks\n\ngo 1.26.0\n",
		"benchmarks/internal/drive/d.go":                 "package drive\n\n// Session is one.\ntype Session any\n",
		"benchmarks/internal/ours/o.go":                  oursOfLibrary,
		"benchmarks/cmd/benchagainst/x.go":               "package main\n",
		"benchmarks/cmd/benchagainst/internal/duel/d.go": duelOfLibrary,
	}
}

const oursOfLibrary = `package ours

import (
	"example.org/m/benchmarks/internal/drive"
	"example.org/m/taskmanager"
)

type Way string

func Open(Way, int, int, int) (drive.Session, error) { taskmanager.F(); return nil, nil }

func OpenCrowded(Way, int, int, int) (drive.Session, error) { return nil, nil }
`

const duelOfLibrary = `package duel

import (
	"fmt"
	"time"

	"example.org/m/benchmarks/internal/drive"
)

type Side struct {
	Open, OpenCrowded func(string, int, int, int) (drive.Session, error)
}

func Main(Side, Side) {
	fmt.Println("{\"Workload\": \"first\"}")
	println("measuring")
	<-time.After(0)
}
`

// repositoryOf commits files, and returns the repository.
func repositoryOf(t *testing.T, files map[string]string) repository {
	t.Helper()
	for name, value := range map[string]string{
		"GOPROXY": "off", "GOSUMDB": "off", // nothing comes from elsewhere
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
	} {
		t.Setenv(name, value)
	}
	r := repository{t.TempDir()}
	git(t, r, "init", "-q")
	commit(t, r, files)
	return r
}

func git(t *testing.T, r repository, args ...string) {
	t.Helper()
	if _, err := r.git(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

// commit replaces files and commits them. An empty file is removed.
func commit(t *testing.T, r repository, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(r.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	git(t, r, "add", "-A")
	git(t, r, "commit", "-q", "--allow-empty", "-m", "a commit")
}

// A revision, or a working tree, that cannot be compared is an error that says why. The
// repository stays as it was, apart from an empty directory for the programs.
func TestRevisionsThatCannotBeCompared(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command many times")
	}
	r := repositoryOf(t, library())
	for _, c := range []struct {
		fault map[string]string // of the commit before the last one
		want  string            // of the error, or nothing
	}{
		{map[string]string{"README": "no fault"}, ""},
		{map[string]string{"go.mod": "module example.org/renamed\n\ngo 1.26.0\n"}, ""},
		{map[string]string{"taskmanager/t.go": "package taskmanager\n"}, "the old revision lacks what the workloads need; compare with a later one"},
		{map[string]string{"taskmanager/t.go": "package taskmanager\n\nvar x int = \"\"\n"}, "the old revision does not compile"},
		{map[string]string{"scheduler/s.go": "no Go"}, "the old revision: rename: scheduler/s.go"},
		{map[string]string{"go.mod": ""}, "the old revision: there is no go.mod"},
		{map[string]string{"go.mod": "go 1.26.0\n"}, "the old revision: its go.mod has no module line"},
	} {
		commit(t, r, c.fault)
		commit(t, r, library())
		var out strings.Builder
		err := benchagainst(t.Context(), r.dir, []string{"-rev", "HEAD~1"}, &out, io.Discard)
		switch {
		case c.want == "" && (err != nil || !strings.Contains(out.String(), "a commit")):
			t.Errorf("%v: %v, %s", c.fault, err, out.String())
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v, want %s", c.fault, err, c.want)
		}
		if left, err := os.ReadDir(filepath.Join(r.dir, ".bin")); err != nil || len(left) > 0 {
			t.Errorf("%v: .bin has %v, %v", c.fault, left, err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.dir, "taskmanager", "t.go"), []byte("package taskmanager\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := benchagainst(t.Context(), r.dir, []string{"-rev", "HEAD"}, io.Discard, io.Discard)
	if want := "the working tree lacks what the workloads need"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a change that removes what is needed: %v, want %s", err, want)
	}
}

// An interrupt ends the program that measures. The results so far are written.
func TestInterrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	files := library()
	const duel = "benchmarks/cmd/benchagainst/internal/duel/d.go"
	files[duel] = strings.Replace(files[duel], "After(0)", "After(time.Hour)", 1)
	r := repositoryOf(t, files)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	err := benchagainst(ctx, r.dir, []string{"-rev=HEAD", "-json"}, &out, writer(func(text string) {
		if strings.Contains(text, "measuring") {
			cancel()
		}
	}))
	if err == nil || err.Error() != "interrupted" || !strings.Contains(out.String(), `"first"`) {
		t.Errorf("%v; %s", err, out.String())
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, ".bin")); err != nil || len(left) > 0 {
		t.Errorf(".bin has %v, %v", left, err)
	}
}

// writer is called with what is written.
type writer func(text string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func TestRevisionThatIsNone(t *testing.T) {
	r := repositoryOf(t, map[string]string{"go.mod": "module example.org/m\n"})
	for _, rev := range []string{"nowhere", "HEAD~7", "--all", "HEAD:go.mod"} {
		err := benchagainst(t.Context(), r.dir, []string{"-rev=" + rev}, io.Discard, io.Discard)
		if want := `-rev: the repository has no revision "` + rev + `"; give a commit`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rev, err, want)
		}
	}
	clone := t.TempDir()
	commit(t, r, map[string]string{"README": "more"})
	git(t, repository{clone}, "clone", "-q", "--depth=1", "file://"+filepath.ToSlash(r.dir), ".")
	err := benchagainst(t.Context(), clone, []string{"-rev=HEAD~1"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("in a shallow clone: %v", err)
	}
}

func TestWithoutGit(t *testing.T) {
	if err := benchagainst(t.Context(), t.TempDir(), []string{"-rev=HEAD"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "this needs a git checkout") {
		t.Errorf("outside of a repository: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := benchagainst(t.Context(), ".", []string{"-rev=HEAD"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "git is needed") {
		t.Errorf("without git: %v", err)
	}
}
