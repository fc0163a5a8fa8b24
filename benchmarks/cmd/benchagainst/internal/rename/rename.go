// Package rename copies packages to another import path.
package rename

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Rename replaces an import path, and the same path as the beginning of longer ones.
type Rename struct{ From, To string }

// apply returns the new path, and false if the path does not change.
func (r Rename) apply(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, r.From)
	if !ok || rest != "" && rest[0] != '/' {
		return path, false
	}
	return r.To + rest, true
}

// Source returns the text of a Go file with its imports renamed. Of several renames that fit,
// the first one counts. All else stays as it is, such as paths in comments and strings.
func Source(name string, text []byte, renames []Rename) ([]byte, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.ImportsOnly)
	if err != nil {
		return nil, fmt.Errorf("rename: %w", err)
	}
	var out []byte
	end := 0
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("rename: %s: %w", name, err)
		}
		for _, r := range renames {
			if to, ok := r.apply(path); ok {
				out = append(out, text[end:set.Position(spec.Path.Pos()).Offset]...)
				out = append(out, strconv.Quote(to)...)
				end = set.Position(spec.Path.End()).Offset
				break
			}
		}
	}
	return append(out, text[end:]...), nil
}

// Tree copies the packages of a file system to a directory, with their imports renamed. It
// leaves out tests, nested modules, and directories that the go command ignores. It replaces no
// file.
func Tree(from fs.FS, to string, renames []Rename) error {
	return fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("rename: %w", err)
		case entry.IsDir() && name != "." && (ignored(entry.Name()) || nested(from, name)):
			return fs.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("rename: %w", err)
		}
		if strings.HasSuffix(name, ".go") {
			if text, err = Source(name, text, renames); err != nil {
				return err
			}
		}
		return write(filepath.Join(to, filepath.FromSlash(name)), text)
	})
}

func ignored(dir string) bool {
	return dir[0] == '.' || dir[0] == '_' || dir == "testdata" || dir == "vendor"
}

func nested(from fs.FS, dir string) bool {
	_, err := fs.Stat(from, dir+"/go.mod")
	return err == nil
}

func write(name string, text []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(text); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	return nil
}
