package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"text/template"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/rename"
)

// workspace is a directory with three modules: the old version of the library, the new one, and
// the program that measures them. Their import paths are that of the library followed by
// old, new and run. Each version has a copy of the code that submits tasks, as its package
// ours. The rest of the code that measures is in the program, once.
type workspace struct {
	dir  string
	root string // the import path of the library in the working tree
	env  []string
}

// ours is the directory of the code that submits tasks.
const ours = "benchmarks/internal/ours"

// shared are the directories of the packages that both versions and the program use.
var shared = []string{"benchmarks/internal/drive", "benchmarks/cmd/benchagainst/internal/duel", "internal/yardstick"}

// prepare writes the modules into a new directory. With -trimpath its path, which differs from run to run,
// does not matter, so the old version comes from the build cache if it was compiled before.
func prepare(ctx context.Context, dir, tree string, old fs.FS) (w workspace, err error) {
	w = workspace{dir: dir, env: []string{"GOWORK=" + filepath.Join(dir, "go.work"), "GOFLAGS=-trimpath -buildvcs=false"}}
	current := os.DirFS(tree)
	if w.root, err = modulePath(ctx, current, dir); err != nil {
		return w, fmt.Errorf("the working tree: %w", err)
	}
	for side, files := range map[string]fs.FS{"old": old, "new": current} {
		if err := w.library(ctx, side, files, current); err != nil {
			return w, fmt.Errorf("%s: %w", describe(side), err)
		}
	}
	if err := w.program(ctx, current); err != nil {
		return w, err
	}
	_, err = command(ctx, dir, w.env, "go", "work", "init", "./old", "./new", "./run")
	return w, err
}

func describe(side string) string {
	if side == "old" {
		return "the old revision"
	}
	return "the working tree"
}

// library writes a version of the library.
func (w workspace) library(ctx context.Context, side string, files, current fs.FS) error {
	from, err := modulePath(ctx, files, w.dir)
	if err != nil {
		return err
	}
	dir, to := filepath.Join(w.dir, side), w.root+"/"+side
	if err := rename.Tree(files, dir, []rename.Rename{{From: from, To: to}}); err != nil {
		return err
	}
	if _, err := command(ctx, dir, []string{"GOWORK=off", "GOFLAGS="}, "go", "mod", "edit", "-module="+to); err != nil {
		return err
	}
	source, err := fs.Sub(current, ours)
	if err != nil {
		return err
	}
	return rename.Tree(source, filepath.Join(dir, "ours"), append(w.renames(), rename.Rename{From: w.root, To: to}))
}

// shared returns the renames of the shared packages.
func (w workspace) renames() []rename.Rename {
	var list []rename.Rename
	for _, name := range shared {
		list = append(list, rename.Rename{From: w.root + "/" + name, To: w.root + "/run/" + path.Base(name)})
	}
	return list
}

// program writes the module of the program.
func (w workspace) program(ctx context.Context, current fs.FS) error {
	dir := filepath.Join(w.dir, "run")
	for _, name := range shared {
		source, err := fs.Sub(current, name)
		if err != nil {
			return err
		}
		if err := rename.Tree(source, filepath.Join(dir, path.Base(name)), w.renames()); err != nil {
			return err
		}
	}
	var text bytes.Buffer
	if err := mainFile.Execute(&text, w.root); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), text.Bytes(), 0o666); err != nil {
		return err
	}
	_, err := command(ctx, dir, []string{"GOWORK=off", "GOFLAGS="}, "go", "mod", "init", w.root+"/run")
	return err
}

// mainFile is the main package of the program.
var mainFile = template.Must(template.New("main.go").Parse(`package main

import (
	"{{.}}/run/drive"
	"{{.}}/run/duel"

	newer "{{.}}/new/ours"
	older "{{.}}/old/ours"
)

func main() {
	duel.Main(
		duel.Side{
			Open: func(way string, workers, producers, tasks int) (drive.Session, error) {
				return older.Open(older.Way(way), workers, producers, tasks)
			},
			OpenCrowded: func(way string, workers, tasks, others int) (drive.Session, error) {
				return older.OpenCrowded(older.Way(way), workers, tasks, others)
			},
		},
		duel.Side{
			Open: func(way string, workers, producers, tasks int) (drive.Session, error) {
				return newer.Open(newer.Way(way), workers, producers, tasks)
			},
			OpenCrowded: func(way string, workers, tasks, others int) (drive.Session, error) {
				return newer.OpenCrowded(newer.Way(way), workers, tasks, others)
			},
		},
	)
}
`))

// build compiles the program and returns its name. If that fails, the error tells which part
// of it does not compile.
func (w workspace) build(ctx context.Context) (program string, err error) {
	program = filepath.Join(w.dir, "program.exe") // Windows runs no other names
	for _, side := range []string{"old", "new"} {
		if err := w.compile(ctx, "-o", os.DevNull, w.root+"/"+side+"/scheduler", w.root+"/"+side+"/taskmanager"); err != nil {
			return "", fmt.Errorf("%s does not compile: %w", describe(side), err)
		}
		if err := w.compile(ctx, "-o", os.DevNull, w.root+"/"+side+"/ours"); err != nil {
			return "", fmt.Errorf("%s lacks what the workloads need; compare with a later one, or adapt %s: %w", describe(side), ours, err)
		}
	}
	return program, w.compile(ctx, "-o", program, w.root+"/run")
}

// compile runs go build.
func (w workspace) compile(ctx context.Context, args ...string) error {
	_, err := command(ctx, w.dir, w.env, "go", append([]string{"build"}, args...)...)
	return err
}

// modulePath returns the import path of a module. The go command needs a directory to work in.
func modulePath(ctx context.Context, files fs.FS, dir string) (string, error) {
	text, err := fs.ReadFile(files, "go.mod")
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("there is no go.mod at its root")
	} else if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "go.mod.read")
	if err := os.WriteFile(name, text, 0o666); err != nil {
		return "", err
	}
	out, err := command(ctx, dir, []string{"GOWORK=off", "GOFLAGS="}, "go", "mod", "edit", "-json", name)
	if err != nil {
		return "", err
	}
	var file struct{ Module struct{ Path string } }
	if err := json.Unmarshal(out, &file); err != nil {
		return "", err
	}
	if file.Module.Path == "" {
		return "", errors.New("its go.mod has no module line")
	}
	return file.Module.Path, nil
}
