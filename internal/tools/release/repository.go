package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// repository is a working tree with modules.
type repository struct {
	dir     string
	modules []goModule // the root first, then in the order of their directories
	out     io.Writer
}

// goModule is a module in a repository.
type goModule struct {
	dir  string // relative to the repository, with slashes; "." is the root
	file *modfile.File
}

// openRepository opens the repository that holds a directory.
func openRepository(ctx context.Context, dir string, out io.Writer) (*repository, error) {
	r := &repository{dir: dir, out: out}
	top, err := r.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("this needs a git checkout: %w", err)
	}
	r.dir = strings.TrimSpace(top)
	err = filepath.WalkDir(r.dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != r.dir && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || entry.Name() != "go.mod":
			return nil
		}
		return r.add(name)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(r.modules, func(a, b goModule) int { return strings.Compare(a.dir, b.dir) })
	if len(r.modules) == 0 || r.modules[0].dir != "." {
		return nil, fmt.Errorf("there is no module at the root of %s", r.dir)
	}
	return r, nil
}

// add adds the module of a go.mod file.
func (r *repository) add(name string) error {
	file, err := readModule(name)
	if err != nil {
		return err
	}
	dir, err := filepath.Rel(r.dir, filepath.Dir(name))
	if err != nil {
		return err
	}
	r.modules = append(r.modules, goModule{filepath.ToSlash(dir), file})
	return nil
}

// readModule reads a go.mod file.
func readModule(name string) (*modfile.File, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	file, err := modfile.Parse(name, content, nil)
	if err == nil && file.Module == nil {
		err = fmt.Errorf("%s has no module line", name)
	}
	return file, err
}

// unpublished are directories whose modules are used in a checkout only.
var unpublished = []string{
	"internal/", "adapters/nats/internal/", "taskmanager/examples",
	"benchmarks/benchcluster", "benchmarks/e2ecluster", "benchmarks/e2edashboard",
}

// published are the modules that a release tags.
func (r *repository) published() []goModule {
	return slices.DeleteFunc(slices.Clone(r.modules), func(m goModule) bool {
		return slices.ContainsFunc(unpublished, func(dir string) bool { return strings.HasPrefix(m.dir, dir) })
	})
}

// rootPath is the path of the root module.
func (r *repository) rootPath() string { return r.modules[0].file.Module.Mod.Path }

// servedAs is the path by which a proxy knows a module. It differs from the path in the
// go.mod of a module that is only for replace directives.
func (r *repository) servedAs(m goModule) string { return path.Join(r.rootPath(), m.dir) }

// requirements returns the published modules that a module requires.
func (r *repository) requirements(m goModule) []module.Version {
	var list []module.Version
	for _, other := range r.published() {
		for _, require := range m.file.Require {
			if require.Mod.Path == r.servedAs(other) {
				list = append(list, require.Mod)
			}
		}
	}
	return list
}

// path is the absolute name of a file in a module.
func (r *repository) path(m goModule, name string) string {
	return filepath.Join(r.dir, filepath.FromSlash(m.dir), name)
}

func (r *repository) say(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, format+"\n", args...)
}

// git runs git in the repository.
func (r *repository) git(ctx context.Context, args ...string) (stdout string, err error) {
	return command(ctx, r.dir, nil, "git", args...)
}

// command runs a program in a directory, with more environment variables. The error has
// everything that the program has printed.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (stdout string, err error) {
	var out, faults strings.Builder
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout = &out
	cmd.Stderr = &faults
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, &out, &faults)
	}
	return out.String(), nil
}
