package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// tidy runs "go mod tidy" in every module. With diff it fails if that would change a file.
func (r *repository) tidy(ctx context.Context, diff bool) error {
	for _, m := range r.modules {
		r.say("== %s: go mod tidy", m.dir)
		if err := r.tidyModule(ctx, m, diff); err != nil {
			if diff {
				err = fmt.Errorf("%s is not tidy, or its modules cannot be fetched; try make tidy: %w", filepath.Join(m.dir, "go.mod"), err)
			}
			return err
		}
	}
	return nil
}

// tidyModule tidies one module.
//
// "go mod tidy" ignores workspaces. A module that has the replace directives for
// development in a go.work file instead of its go.mod would be tidied against released
// versions of the other modules, and before the first release there are none. So such a
// module is tidied by a copy of its go.mod that has the directives.
func (r *repository) tidyModule(ctx context.Context, m goModule, diff bool) (err error) {
	args := []string{"mod", "tidy"}
	if diff {
		args = append(args, "-diff")
	}
	content, err := os.ReadFile(r.path(m, "go.work"))
	if errors.Is(err, fs.ErrNotExist) {
		_, err := command(ctx, r.path(m, ""), []string{"GOWORK=off"}, "go", args...)
		return err
	} else if err != nil {
		return err
	}
	work, err := modfile.ParseWork("go.work", content, nil)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "tidy")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	goMod, goSum := filepath.Join(temp, "go.mod"), filepath.Join(temp, "go.sum")
	if err := errors.Join(
		edit(r.path(m, "go.mod"), goMod, work.Replace, addReplace),
		copyFile(r.path(m, "go.sum"), goSum),
	); err != nil {
		return err
	}
	if _, err := command(ctx, r.path(m, ""), []string{"GOWORK=off"}, "go", append(args, "-modfile="+goMod)...); err != nil || diff {
		return err
	}
	return errors.Join(
		edit(goMod, r.path(m, "go.mod"), work.Replace, dropReplace),
		copyFile(goSum, r.path(m, "go.sum")),
	)
}

func addReplace(f *modfile.File, r *modfile.Replace) error {
	return f.AddReplace(r.Old.Path, r.Old.Version, r.New.Path, r.New.Version)
}

func dropReplace(f *modfile.File, r *modfile.Replace) error {
	return f.DropReplace(r.Old.Path, r.Old.Version)
}

// edit copies a go.mod file and changes the copy.
func edit(from, to string, list []*modfile.Replace, change func(*modfile.File, *modfile.Replace) error) error {
	file, err := readModule(from)
	if err != nil {
		return err
	}
	for _, replace := range list {
		if err := change(file, replace); err != nil {
			return err
		}
	}
	file.Cleanup()
	return os.WriteFile(to, modfile.Format(file.Syntax), 0o644)
}

// copyFile copies a file if it exists: a module without dependencies has no go.sum.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
