package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// program is a command that users install.
type program struct {
	dir  string   // in the repository
	args []string // for a run that shows that it works
}

// installed are the programs that users install.
var installed = []program{
	{"benchmarks/cmd/tasklab", []string{"run", "-dir", "."}},
}

// programs has a program for each published module that is a library, in a directory like
// that of the module. A subdirectory of such a program with a go.mod is a dependency of it,
// served at dependencyVersion.
const (
	programs          = "internal/tools/release/testdata/install"
	dependencyVersion = "v1.0.0"
)

// installCheck installs each published module by itself, as its users do: from a proxy, which
// serves what a commit of the working tree would have, into an empty module cache. Third-party
// modules come from the usual module cache and proxy.
func (r *repository) installCheck(ctx context.Context, commands []program) (err error) {
	version, err := r.version()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "install-check")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	i, err := r.newInstaller(ctx, temp, version)
	if err != nil {
		return err
	}
	for _, m := range r.published() {
		if err := r.pack(ctx, m.dir, module.Version{Path: r.servedAs(m), Version: version}, i.proxy); err != nil {
			return err
		}
	}
	for _, m := range r.published() {
		if err := i.runProgram(ctx, m, commands); err != nil {
			return fmt.Errorf("%s cannot be used: %w", r.servedAs(m), err)
		}
	}
	for _, p := range commands {
		r.say("== %s: go install", p.dir)
		if err := i.install(ctx, p); err != nil {
			return fmt.Errorf("%s cannot be installed: %w", p.dir, err)
		}
	}
	return nil
}

// version is the one at which the modules require one another.
func (r *repository) version() (string, error) {
	version := ""
	for _, m := range r.published() {
		for _, require := range r.requirements(m) {
			if version == "" {
				version = require.Version
			}
			if version != require.Version {
				return "", fmt.Errorf("%s requires %s; other modules require %s; all must have one version, which make release sets",
					path.Join(m.dir, "go.mod"), require, version)
			}
		}
	}
	if version == "" {
		version = dependencyVersion // there are no nested modules
	}
	return version, nil
}

// installer installs modules of a repository from a GOPROXY directory.
type installer struct {
	*repository
	version     string
	temp, proxy string
	env         []string
}

func (r *repository) newInstaller(ctx context.Context, temp, version string) (*installer, error) {
	i := &installer{repository: r, version: version, temp: temp, proxy: filepath.Join(temp, "proxy")}
	list, err := command(ctx, r.dir, nil, "go", "env", "GOPROXY", "GOMODCACHE", "GONOSUMDB", "GOSUMDB", "GOCACHE")
	if err != nil {
		return nil, err
	}
	usual := strings.Split(list, "\n")
	cache := filepath.Join(usual[1], "cache", "download") // has the form of a GOPROXY directory
	i.env = []string{
		"GOENV=off", // it might declare the modules private, so that no proxy is asked for them
		"GOPRIVATE=",
		"GONOPROXY=",
		"GOWORK=off",
		"GOMODCACHE=" + filepath.Join(temp, "modules"),
		"GOPROXY=" + strings.Join([]string{fileURL(i.proxy), fileURL(cache), usual[0]}, ","),
		// What is not published has no public checksum.
		"GONOSUMDB=" + strings.Trim(usual[2]+","+r.rootPath()+",example.com", ","),
		"GOSUMDB=" + usual[3],
		// Compiled code serves the next run too, as it does not depend on the directories.
		"GOCACHE=" + usual[4],
		"GOFLAGS=-modcacherw -trimpath -buildvcs=false",
		"GOBIN=" + filepath.Join(temp, "bin"),
	}
	return i, nil
}

func fileURL(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(name)}).String()
}

// runProgram runs the program of a module in a new module that requires that module. All
// other packages of the module must compile there too.
func (i *installer) runProgram(ctx context.Context, m goModule, commands []program) error {
	source := path.Join(programs, m.dir)
	code, err := os.ReadFile(filepath.Join(i.dir, filepath.FromSlash(source), "main.go"))
	if errors.Is(err, fs.ErrNotExist) {
		if slices.ContainsFunc(commands, func(p program) bool { return strings.HasPrefix(p.dir, m.dir+"/") }) {
			return nil // a module of programs
		}
		return fmt.Errorf("there is no program that imports it; write %s", path.Join(source, "main.go"))
	} else if err != nil {
		return err
	}
	i.say("== %s: a program that imports it", m.dir)
	dir := filepath.Join(i.temp, "programs", filepath.FromSlash(m.dir))
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "main.go"), code, 0o644)); err != nil {
		return err
	}
	required, err := i.packDependencies(ctx, source)
	if err != nil {
		return err
	}
	steps := [][]string{{"mod", "init", "example.com/program"}}
	served, declared := i.servedAs(m), m.file.Module.Mod.Path
	if served == declared {
		required = append(required, served+"/...@"+i.version)
	} else { // it is for replace directives
		steps = append(steps, []string{"mod", "edit", "-replace=" + declared + "=" + served + "@" + i.version})
	}
	steps = append(steps,
		append([]string{"get"}, required...),
		[]string{"get", "."}, // what else the program imports
		[]string{"build", declared + "/..."},
		[]string{"run", "."})
	for _, args := range steps {
		if _, err := command(ctx, dir, i.env, "go", args...); err != nil {
			return err
		}
	}
	return nil
}

// packDependencies serves the dependencies of a program and returns what "go get" has to get.
func (i *installer) packDependencies(ctx context.Context, source string) (versions []string, err error) {
	names, err := filepath.Glob(filepath.Join(i.dir, filepath.FromSlash(source), "*", "go.mod"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file, err := readModule(name)
		if err != nil {
			return nil, err
		}
		m := module.Version{Path: file.Module.Mod.Path, Version: dependencyVersion}
		if err := i.pack(ctx, path.Join(source, filepath.Base(filepath.Dir(name))), m, i.proxy); err != nil {
			return nil, err
		}
		versions = append(versions, m.String())
	}
	return versions, nil
}

// install installs a program and runs it.
func (i *installer) install(ctx context.Context, p program) error {
	empty := filepath.Join(i.temp, "empty")
	if err := os.MkdirAll(empty, 0o755); err != nil {
		return err
	}
	if _, err := command(ctx, empty, i.env, "go", "install", path.Join(i.rootPath(), p.dir)+"@"+i.version); err != nil {
		return err
	}
	_, err := command(ctx, empty, i.env, filepath.Join(i.temp, "bin", path.Base(p.dir)), p.args...)
	return err
}
