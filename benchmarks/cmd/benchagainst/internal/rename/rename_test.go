package rename_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/benchagainst/internal/rename"
)

// Only import paths change, at the boundaries of their elements, and the first rename counts.
func TestSource(t *testing.T) {
	const source = `// Package p imports "example.org/m/a".
package p // import "example.org/m/p"

import "example.org/m"

import (
	"fmt" // not "example.org/m"
	_ "example.org/m/internal/x"
	. "example.org/m/b"
	name ` + "`example.org/m/c`" + `
	"example.org/m/shared/d"
	"example.org/mm"
	"other.org/example.org/m"
)

const text = "example.org/m/a"
`
	const want = `// Package p imports "example.org/m/a".
package p // import "example.org/m/p"

import "example.org/m/old"

import (
	"fmt" // not "example.org/m"
	_ "example.org/m/old/internal/x"
	. "example.org/m/old/b"
	name "example.org/m/old/c"
	"run/shared/d"
	"example.org/mm"
	"other.org/example.org/m"
)

const text = "example.org/m/a"
`
	got, err := rename.Source("p.go", []byte(source), []rename.Rename{
		{From: "example.org/m/shared", To: "run/shared"},
		{From: "example.org/m", To: "example.org/m/old"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// A file that is not Go is an error that names it.
func TestSourceThatIsNone(t *testing.T) {
	if _, err := rename.Source("p.go", []byte("packet p"), nil); err == nil || !strings.Contains(err.Error(), "p.go") {
		t.Errorf("the error is %v", err)
	}
}

// A copy has the packages of the module, without tests and without what does not belong to it.
func TestTree(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const source = "package p\n\nimport \"m/q\"\n"
	from := fstest.MapFS{
		"go.mod": file("module m\n"), "go.sum": file("sum\n"),
		"p.go": file(source), "p_test.go": file(source), "q/q.go": file("package q\n"), "q/data.txt": file("import \"m/q\""),
		"internal/x/x.go": file(source),
		"nested/go.mod":   file("module m/nested\n"), "nested/n.go": file(source), "nested/deep/d.go": file(source),
		"q/testdata/t.go": file("this is not Go"), ".hidden/h.go": file(source), "_ignored/i.go": file(source), "vendor/m/v.go": file(source),
	}
	to := t.TempDir()
	renames := []rename.Rename{{From: "m", To: "m/old"}}
	if err := rename.Tree(from, to, renames); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := fs.WalkDir(os.DirFS(to), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(to), name)
		got[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const renamed = "package p\n\nimport \"m/old/q\"\n"
	want := map[string]string{
		"go.mod": "module m\n", "go.sum": "sum\n", "p.go": renamed, "internal/x/x.go": renamed,
		"q/q.go": "package q\n", "q/data.txt": "import \"m/q\"",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := rename.Tree(from, to, renames); err == nil {
		t.Error("a second copy replaces files")
	}
}
