package workload

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// Directory is the file system below a directory. Unlike with os.DirFS, names
// need not be valid UTF-8: Unix file systems permit others.
type Directory string

// Open opens the file with a slash-separated path.
func (d Directory) Open(path string) (fs.File, error) {
	return os.Open(filepath.Join(string(d), filepath.FromSlash(path)))
}

// Visitor receives what a walk finds.
type Visitor struct {
	File    func(path string, entry fs.DirEntry) error // a regular file; an error ends the walk
	Skipped func()                                     // neither a regular file nor a directory
	Failed  func(path string, err error)               // unreadable
}

// Walk visits everything in files. It reports what it cannot read and goes on.
// The error says why the walk ended early.
func Walk(ctx context.Context, files fs.FS, v Visitor) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			v.Failed(path, err)
		case d.IsDir():
		case d.Type().IsRegular():
			return v.File(path, d)
		default:
			v.Skipped()
		}
		return nil
	})
}
