package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
)

// directory is the files below a directory. Unlike those of os.DirFS they may
// have names that are not valid UTF-8, as the file systems of Unix permit.
type directory string

// Open opens the file of the given slash-separated path.
func (d directory) Open(path string) (fs.File, error) {
	return os.Open(filepath.Join(string(d), filepath.FromSlash(path)))
}

// visitor is told what a walk finds.
type visitor struct {
	file    func(path string, entry fs.DirEntry) error // a regular file; an error ends the walk
	skipped func()                                     // neither a regular file nor a directory
	failed  func(path string, err error)
}

// walk visits everything in files. What cannot be read is reported and does not
// end the walk. The error says why the walk ended early.
func walk(ctx context.Context, files fs.FS, v visitor) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			v.failed(path, err)
		case d.IsDir():
		case d.Type().IsRegular():
			return v.file(path, d)
		default:
			v.skipped()
		}
		return nil
	})
}
