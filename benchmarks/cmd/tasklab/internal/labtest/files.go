// Package labtest has what the tests of several packages share: trees of files, file
// systems in which files are slow or fail, and a function to execute a subcommand.
package labtest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// Tree makes a directory with files of the given contents.
func Tree(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range contents {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Map makes a file system of alternating paths and contents.
func Map(pathsAndContents ...string) fstest.MapFS {
	m := make(fstest.MapFS)
	for i := 0; i < len(pathsAndContents); i += 2 {
		m[pathsAndContents[i]] = &fstest.MapFile{Data: []byte(pathsAndContents[i+1])}
	}
	return m
}

// Hook returns files with another function to open them. The function may return
// neither a file nor an error, to open the file as it is.
func Hook(files fs.FS, open func(path string) (fs.File, error)) fs.FS {
	return hooked{files, open}
}

type hooked struct {
	fs.FS
	open func(path string) (fs.File, error)
}

func (h hooked) Open(path string) (fs.File, error) {
	if f, err := h.open(path); f != nil || err != nil {
		return f, err
	}
	return h.FS.Open(path)
}

// Replace hooks one file. Its function receives how often the file was opened
// before.
func Replace(files fs.FS, path string, open func(before int64) (fs.File, error)) fs.FS {
	var opened atomic.Int64
	return Hook(files, func(p string) (fs.File, error) {
		if p != path {
			return nil, nil
		}
		return open(opened.Add(1) - 1)
	})
}

// With opens a file, and replaces its content with that of a reader.
func With(files fs.FS, path string, content io.Reader) (fs.File, error) {
	f, err := files.Open(path)
	return withContent{f, content}, err
}

type withContent struct {
	fs.File
	content io.Reader
}

func (f withContent) Read(p []byte) (int, error) { return f.content.Read(p) }

// ReaderFunc makes a reader of a function.
type ReaderFunc func(p []byte) (int, error)

// Read calls the function.
func (r ReaderFunc) Read(p []byte) (int, error) { return r(p) }

// Step is how long a slow file takes for a byte. No sum of steps coincides with
// an update of the display, whose content would then depend on chance.
const Step = 1100 * time.Millisecond

// Slowly makes all files slow: each byte takes a [Step]. For use in a synctest
// bubble. The first attempt at the file with the given path fails after the last
// byte.
func Slowly(base fstest.MapFS, path string) fs.FS {
	failing := true
	return Hook(base, func(p string) (fs.File, error) {
		if base[p] == nil {
			return nil, nil
		}
		f, err := base.Open(p)
		content := io.Reader(f)
		if p == path && failing {
			failing = false
			content = io.MultiReader(f, ReaderFunc(func([]byte) (int, error) { return 0, errors.New("bad luck") }))
		}
		return withContent{f, slow(content)}, err
	})
}

// slow reads byte by byte, with a step for each.
func slow(r io.Reader) io.Reader {
	return ReaderFunc(func(p []byte) (int, error) {
		n, err := r.Read(p[:1])
		if n > 0 {
			time.Sleep(Step)
		}
		return n, err
	})
}
