package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// pack puts the module in a directory into a GOPROXY directory, as a proxy would serve them.
// It contains the files that a commit of the working tree would contain, without nested modules.
func (r *repository) pack(ctx context.Context, dir string, m module.Version, proxy string) error {
	list, err := r.git(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", dir)
	if err != nil {
		return err
	}
	var files []zip.File
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		inModule, err := filepath.Rel(filepath.FromSlash(dir), filepath.FromSlash(name))
		if err != nil {
			return err
		}
		f := file{filepath.Join(r.dir, filepath.FromSlash(name)), filepath.ToSlash(inModule)}
		if _, err := f.Lstat(); err == nil { // it may be deleted and that not be committed
			files = append(files, f)
		}
	}
	return pack(files, filepath.Join(r.dir, filepath.FromSlash(dir), "go.mod"), m, proxy)
}

// pack writes the four files by which a GOPROXY directory serves a version.
func pack(files []zip.File, goMod string, m module.Version, proxy string) (err error) {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := json.Marshal(struct{ Version string }{m.Version})
	if err != nil {
		return err
	}
	content, err := os.ReadFile(goMod)
	if err != nil {
		return err
	}
	archive, err := os.Create(filepath.Join(dir, m.Version+".zip"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	if err := zip.Create(archive, m, files); err != nil {
		return fmt.Errorf("no proxy would serve %s: %w", m.Path, err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "list"), []byte(m.Version+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, m.Version+".info"), info, 0o644),
		os.WriteFile(filepath.Join(dir, m.Version+".mod"), content, 0o644),
	)
}

// file is a file of a module.
type file struct{ name, inModule string }

// Path is the name in the module.
func (f file) Path() string { return path.Clean(f.inModule) }

// Lstat describes the file.
func (f file) Lstat() (os.FileInfo, error) { return os.Lstat(f.name) }

// Open opens the file.
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.name) }
