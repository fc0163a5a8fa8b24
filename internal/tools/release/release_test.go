package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a repository as this one is: a root, two modules that replace it in their go.mod,
// the second of which is for replace directives, and a module of programs with a workspace.
func sample() map[string]string {
	return map[string]string{
		"go.mod":     "module example.org/m\n\ngo 1.26.0\n",
		"m.go":       "package m\n\n// F is 1.\nfunc F() int { return 1 }\n",
		".gitignore": "ignored.go\n",

		"adapters/a/go.mod": "module example.org/m/adapters/a\n\ngo 1.26.0\n\nrequire example.org/m v0.1.0\n\nreplace example.org/m => ../..\n",
		"adapters/a/a.go":   "package a\n\nimport \"example.org/m\"\n\n// G is 2.\nfunc G() int { return m.F() + 1 }\n",

		"adapters/o/go.mod": "module example.org/old\n\ngo 1.26.0\n\nrequire example.org/m v0.1.0\n\nreplace example.org/m => ../..\n",
		"adapters/o/o.go":   "package old\n\nimport \"example.org/m\"\n\n// F is that of m.\nfunc F() int { return m.F() }\n",

		"tools/go.mod":               "module example.org/m/tools\n\ngo 1.26.0\n\nrequire example.org/m v0.1.0\n",
		"tools/go.work":              "go 1.26.0\n\nuse .\n\nreplace example.org/m => ..\n",
		"tools/cmd/tool/main.go":     "package main\n\nimport \"example.org/m\"\n\nfunc main() { println(m.F()) }\n",
		"internal/x/go.mod":          "module example.org/m/internal/x\n\ngo 1.26.0\n",
		"internal/x/testdata/go.mod": "this is none",

		programs + "/main.go":                      "package main\n\nimport \"example.org/m\"\n\nfunc main() { println(m.F()) }\n",
		programs + "/adapters/a/main.go":           "package main\n\nimport \"example.org/m/adapters/a\"\n\nfunc main() { println(a.G()) }\n",
		programs + "/adapters/o/main.go":           "package main\n\nimport \"example.com/dependency\"\n\nfunc main() { println(dependency.F()) }\n",
		programs + "/adapters/o/dependency/go.mod": "module example.com/dependency\n\ngo 1.26.0\n\nrequire example.org/old v0.0.1\n",
		programs + "/adapters/o/dependency/dep.go": "package dependency\n\nimport \"example.org/old\"\n\n// F is that of old.\nfunc F() int { return old.F() }\n",
	}
}

var tool = []program{{"tools/cmd/tool", nil}}

// repositoryOf makes a repository of files and commits them.
func repositoryOf(t *testing.T, files map[string]string) (*repository, *strings.Builder) {
	t.Helper()
	for name, value := range map[string]string{
		"GOPROXY": "off", "GOSUMDB": "off", "GOFLAGS": "", // nothing comes from elsewhere
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
	} {
		t.Setenv(name, value)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		write(t, dir, name, content)
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "all")
	out := new(strings.Builder)
	r, err := openRepository(t.Context(), dir, out)
	if err != nil {
		t.Fatal(err)
	}
	return r, out
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := command(t.Context(), dir, nil, "git", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// saying fails the test unless an error contains the texts. No text means no error.
func saying(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil && len(texts) == 0 {
		return
	}
	if err == nil || len(texts) == 0 {
		t.Fatalf("got error: %v, want one with %q", err, texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q: %v", text, err)
		}
	}
}

func TestPublishedModules(t *testing.T) {
	r, _ := repositoryOf(t, sample())
	got := map[string]string{}
	for _, m := range r.published() {
		got[m.dir] = r.servedAs(m)
	}
	want := map[string]string{
		".":          "example.org/m",
		"adapters/a": "example.org/m/adapters/a",
		"adapters/o": "example.org/m/adapters/o",
		"tools":      "example.org/m/tools",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("published modules (-want +got):\n%s", diff)
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"v0.2.0":                             "",
		"v1.0.0-rc.1":                        "",
		"":                                   "make release VERSION=v0.2.0",
		"0.2.0":                              "run make release VERSION=v0.2.0",
		"v0.2":                               `"v0.2" is not a version`,
		"v0.2.0+meta":                        "is not a version",
		"v01.2.0":                            "is not a version",
		"latest":                             "is not a version",
		"v0.2.0; ls":                         "is not a version",
		"v2.0.0":                             "end in /v2",
		"v0.0.0-20260101000000-abcdefabcdef": "pseudo-version",
	} {
		t.Run(version, func(t *testing.T) {
			var texts []string
			if want != "" {
				texts = []string{want}
			}
			saying(t, checkVersion(version), texts...)
		})
	}
}

func TestPrepare(t *testing.T) {
	r, out := repositoryOf(t, sample())
	if err := r.prepare(t.Context(), "v0.2.0"); err != nil {
		t.Fatal(err)
	}
	want := []string{"adapters/a/go.mod", "adapters/o/go.mod", "tools/go.mod"}
	got := strings.Fields(git(t, r.dir, "diff", "--name-only"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changed files (-want +got):\n%s", diff)
	}
	for _, name := range want {
		content, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if after := strings.Replace(sample()[name], "m v0.1.0", "m v0.2.0", 1); string(content) != after {
			t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(after, string(content)))
		}
	}
	for _, line := range []string{
		"Changed: adapters/a/go.mod, adapters/o/go.mod, tools/go.mod.",
		"  git commit -am 'Release v0.2.0'",
		"  git tag v0.2.0", "  git tag adapters/a/v0.2.0", "  git tag adapters/o/v0.2.0", "  git tag tools/v0.2.0",
		"  git push --atomic origin HEAD v0.2.0 adapters/a/v0.2.0 adapters/o/v0.2.0 tools/v0.2.0",
	} {
		if !slices.Contains(strings.Split(out.String(), "\n"), line) {
			t.Errorf("the output lacks the line %q:\n%s", line, out)
		}
	}
	if tags, commits := git(t, r.dir, "tag"), git(t, r.dir, "rev-list", "--count", "HEAD"); tags != "" || commits != "1\n" {
		t.Errorf("it has made tags %q, or a commit: there are %s", tags, commits)
	}
}

func TestPrepareWithNothingToChange(t *testing.T) {
	r, out := repositoryOf(t, sample())
	if err := r.prepare(t.Context(), "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	if got := git(t, r.dir, "status", "--porcelain"); got != "" {
		t.Errorf("it has changed\n%s", got)
	}
	if !strings.Contains(out.String(), "All modules require v0.1.0 already.") || strings.Contains(out.String(), "git commit") {
		t.Errorf("it said\n%s", out)
	}
}

// TestPrepareRefuses: an error says what to do, and nothing changes.
func TestPrepareRefuses(t *testing.T) {
	const untidy = "\nrequire example.org/absent v1.0.0\n\nreplace example.org/absent => ./absent\n"
	for _, c := range []struct {
		name, version string
		change        func(t *testing.T, dir string)
		texts         []string
	}{
		{"version", "v0.2", func(*testing.T, string) {}, []string{"vMAJOR.MINOR.PATCH"}},
		{"new file", "v0.2.0", func(t *testing.T, dir string) { write(t, dir, "new.go", "package m\n") },
			[]string{"commit or stash", "?? new.go"}},
		{"edited file", "v0.2.0", func(t *testing.T, dir string) { write(t, dir, "m.go", "package m\n") },
			[]string{"commit or stash", " M m.go"}},
		{"tag", "v0.2.0", func(t *testing.T, dir string) { git(t, dir, "tag", "adapters/a/v0.2.0") },
			[]string{"choose the next version", "adapters/a/v0.2.0"}},
		{"older than a tag", "v0.9.0", func(t *testing.T, dir string) { git(t, dir, "tag", "v0.10.0") },
			[]string{"v0.10.0", "newer than v0.9.0"}},
		{"tag and file", "v0.2.0", func(t *testing.T, dir string) {
			git(t, dir, "tag", "v0.2.0")
			write(t, dir, "new.go", "package m\n")
		}, []string{"choose the next version", "?? new.go"}},
		{"untidy", "v0.2.0", func(t *testing.T, dir string) {
			write(t, dir, "adapters/a/absent/go.mod", "module example.org/absent\n")
			write(t, dir, "adapters/a/go.mod", sample()["adapters/a/go.mod"]+untidy)
			git(t, dir, "add", "-A")
			git(t, dir, "commit", "-q", "-m", "untidy")
		}, []string{"adapters/a/go.mod is not tidy", "make tidy", "-require example.org/absent"}},
		{"untidy workspace", "v0.2.0", func(t *testing.T, dir string) {
			write(t, dir, "tools/absent/go.mod", "module example.org/absent\n")
			write(t, dir, "tools/go.mod", sample()["tools/go.mod"]+untidy)
			git(t, dir, "add", "-A")
			git(t, dir, "commit", "-q", "-m", "untidy")
		}, []string{"tools/go.mod is not tidy", "make tidy", "-require example.org/absent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _ := repositoryOf(t, sample())
			c.change(t, r.dir)
			state := func() string { return git(t, r.dir, "status", "--porcelain") + git(t, r.dir, "diff") }
			before := state()
			saying(t, r.prepare(t.Context(), c.version), c.texts...)
			if diff := cmp.Diff(before, state()); diff != "" {
				t.Errorf("it has changed files:\n%s", diff)
			}
		})
	}
}

// TestTidy: in a module with a workspace too, without its replace directives in the go.mod.
func TestTidy(t *testing.T) {
	files := sample()
	for _, name := range []string{"adapters/a/go.mod", "tools/go.mod"} {
		files[name] += "\nrequire example.org/m/adapters/o v0.1.0 // not used\n"
	}
	r, _ := repositoryOf(t, files)
	saying(t, r.tidy(t.Context(), true), "adapters/a/go.mod is not tidy")
	if got := git(t, r.dir, "status", "--porcelain"); got != "" {
		t.Errorf("tidy -diff has changed\n%s", got)
	}
	if err := r.tidy(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"adapters/a/go.mod", "tools/go.mod"} {
		content, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sample()[name], string(content)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if err := r.tidy(t.Context(), true); err != nil {
		t.Errorf("what is tidied is not tidy: %v", err)
	}
}

func TestInstallCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change map[string]string // of committed files
		later  map[string]string // of files that are not committed
		texts  []string          // of the error
	}{
		{"as it is", nil, nil, nil},
		{"not committed", nil, map[string]string{
			"new.go":          "package m\n\n// New is 3.\nfunc New() int { return 3 }\n",
			"adapters/a/a.go": "package a\n\nimport \"example.org/m\"\n\n// G is 3.\nfunc G() int { return m.New() }\n",
		}, nil},
		{"what is ignored is not released", map[string]string{
			"adapters/a/a.go": "package a\n\nimport \"example.org/m\"\n\n// G is 3.\nfunc G() int { return m.New() }\n",
		}, map[string]string{
			"ignored.go": "package m\n\n// New is 3.\nfunc New() int { return 3 }\n",
		}, []string{"example.org/m/adapters/a cannot be used", "undefined: m.New"}},
		{"a package that the program does not import", map[string]string{
			"adapters/a/b/b.go": "package b\n\nimport \"example.org/m\"\n\nvar _ = m.Absent\n",
		}, nil, []string{"example.org/m/adapters/a cannot be used", "undefined: m.Absent"}},
		{"versions", map[string]string{
			"tools/go.mod": "module example.org/m/tools\n\ngo 1.26.0\n\nrequire example.org/m v0.0.9\n",
		}, nil, []string{"tools/go.mod requires example.org/m@v0.0.9", "v0.1.0", "make release"}},
		{"a replace directive of a program", map[string]string{
			"tools/go.mod": sample()["tools/go.mod"] + "\nreplace example.org/m => ..\n",
		}, nil, []string{"tools/cmd/tool cannot be installed", "replace directives"}},
		{"a file name that no proxy serves", map[string]string{
			"adapters/a/what?.txt": "text",
		}, nil, []string{"no proxy would serve example.org/m/adapters/a", "what?.txt"}},
		{"a module without a program", map[string]string{
			"adapters/b/go.mod": "module example.org/m/adapters/b\n\ngo 1.26.0\n",
		}, nil, []string{"write " + programs + "/adapters/b/main.go"}},
		{"a program that fails", map[string]string{
			"m.go": "package m\n\n// F fails.\nfunc F() int { panic(\"broken\") }\n",
		}, nil, []string{"example.org/m cannot be used", "panic: broken"}},
		{"the path of a module", map[string]string{
			"adapters/o/go.mod": strings.Replace(sample()["adapters/o/go.mod"], "module example.org/old", "module example.org/older", 1),
		}, nil, []string{"example.org/m/adapters/o cannot be used"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := sample()
			maps.Copy(files, c.change)
			r, out := repositoryOf(t, files)
			for name, content := range c.later {
				write(t, r.dir, name, content)
			}
			saying(t, r.installCheck(t.Context(), tool), c.texts...)
			if len(c.texts) > 0 {
				return
			}
			want := "== .: a program that imports it\n== adapters/a: a program that imports it\n" +
				"== adapters/o: a program that imports it\n== tools/cmd/tool: go install\n"
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"publish"}, {"prepare", "v0.2.0", "v0.3.0"}, {"install-check", "now"}} {
		if err := run(t.Context(), args, new(strings.Builder)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	saying(t, run(t.Context(), []string{"prepare"}, new(strings.Builder)), "make release VERSION=")
}

// TestStatements checks that the files which state the version exist, state it once, and
// agree with a go.mod file.
func TestStatements(t *testing.T) {
	top := filepath.Join("..", "..", "..")
	file, err := readModule(filepath.Join(top, "adapters", "cron", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, require := range file.Require {
		if require.Mod.Path == "github.com/seed56799101/taskmanager" {
			want = require.Mod.Version
		}
	}
	for _, s := range statements {
		content, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(s.file)))
		if err != nil {
			t.Error(err)
			continue
		}
		found := s.pattern.FindAllString(string(content), -1)
		if len(found) != 1 || !strings.Contains(found[0], strings.TrimPrefix(want, s.without)) {
			t.Errorf("%s states %q, want %s once", s.file, found, want)
		}
	}
}

// TestPrepareSetsStatements checks the files other than go.mod that state the version.
func TestPrepareSetsStatements(t *testing.T) {
	files := sample()
	files["observe/otel.go"] = "package observe\n\nconst (\n\tScope   = \"m\"\n\tVersion = \"0.1.0\"\n)\n"
	files["adapters/original/original.go"] = "// Package p.\n//\n//\treplace old => example.org/m/adapters/original v0.1.0\npackage p\n"
	r, _ := repositoryOf(t, files)
	if err := r.prepare(t.Context(), "v0.2.0"); err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		content, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(s.file)))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(files[s.file], "0.1.0", "0.2.0", 1); string(content) != want {
			t.Errorf("%s (-want +got):\n%s", s.file, cmp.Diff(want, string(content)))
		}
	}
	files["observe/otel.go"] = "package observe\n"
	r, _ = repositoryOf(t, files)
	saying(t, r.prepare(t.Context(), "v0.2.0"), "observe/otel.go", "no longer states the version")
}
