package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const version = "1.2.3"

// tarball packs files as npm does.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serve serves a package as a registry does, and returns the flag for it.
func serve(t *testing.T, packed []byte) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/plot/-/plot-"+version+".tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(packed) })
	mux.HandleFunc("/plot/"+version, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"dist": {"integrity": %q}}`, integrity(packed))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return "-registry=" + s.URL
}

// directory has a lock with a package.
func directory(t *testing.T, p pack) string {
	t.Helper()
	dir := t.TempDir()
	if err := (&lock{Packages: []pack{p}}).write(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// contents are the files below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The listed files are written as they are in the package, and no others.
func TestFetch(t *testing.T) {
	packed := tarball(t, map[string]string{"LICENSE": "free", "dist/plot.js": "draw()", "README.md": "read me"})
	p := pack{Name: "plot", Version: version, Integrity: integrity(packed), Files: map[string]string{
		"LICENSE": sum([]byte("free")), "dist/plot.js": sum([]byte("draw()")),
	}}
	dir := directory(t, p)
	before := contents(t, dir)[lockName]
	if err := run(t.Context(), []string{"-dir=" + dir, serve(t, packed)}, io.Discard); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{lockName: before, "plot/LICENSE": "free", "plot/dist/plot.js": "draw()"}
	if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The lock may be elsewhere, so that the directory has only the files.
func TestLockElsewhere(t *testing.T) {
	packed := tarball(t, map[string]string{"plot.js": "draw()"})
	p := pack{Name: "plot", Version: version, Integrity: integrity(packed), Files: map[string]string{"plot.js": ""}}
	file, dir := filepath.Join(directory(t, p), lockName), filepath.Join(t.TempDir(), "new")
	if err := run(t.Context(), []string{"-dir=" + dir, "-lock=" + file, serve(t, packed)}, io.Discard); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"plot/plot.js": "draw()"}, contents(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// An update takes the hashes of the new version.
func TestUpdate(t *testing.T) {
	packed := tarball(t, map[string]string{"plot.js": "better()"})
	dir := directory(t, pack{Name: "plot", Version: "1.0.0", Integrity: "sha512-old", Files: map[string]string{"plot.js": "old"}})
	if err := run(t.Context(), []string{"-dir=" + dir, serve(t, packed), "plot@" + version}, io.Discard); err != nil {
		t.Fatal(err)
	}
	var got lock
	if err := json.Unmarshal([]byte(contents(t, dir)[lockName]), &got); err != nil {
		t.Fatal(err)
	}
	want := lock{Packages: []pack{{Name: "plot", Version: version, Integrity: integrity(packed), Files: map[string]string{"plot.js": sum([]byte("better()"))}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
}

// What does not fit is refused, and nothing is written.
func TestRefuse(t *testing.T) {
	packed := tarball(t, map[string]string{"plot.js": "draw()"})
	right := func() pack {
		return pack{Name: "plot", Version: version, Integrity: integrity(packed), Files: map[string]string{"plot.js": sum([]byte("draw()"))}}
	}
	for name, test := range map[string]struct {
		change func(*pack)
		args   []string
		want   string
	}{
		"another package":      {func(p *pack) { p.Integrity = "sha512-other" }, nil, "the lock has sha512-other"},
		"another file":         {func(p *pack) { p.Files["plot.js"] = "0123" }, nil, `file "plot.js" has the hash`},
		"no such file":         {func(p *pack) { p.Files["no.js"] = "" }, nil, `no file "no.js"`},
		"no such version":      {func(p *pack) { p.Version = "9.9.9" }, nil, "404"},
		"a path that leaves":   {func(p *pack) { p.Files["../../evil.js"] = "" }, nil, "no path below a directory"},
		"a name that leaves":   {func(p *pack) { p.Name = "../evil" }, nil, "no path below a directory"},
		"no version":           {func(*pack) {}, []string{"plot"}, "is not package@version"},
		"a package not listed": {func(*pack) {}, []string{"graph@1.0.0"}, `has no package "graph"`},
		"no registry":          {func(*pack) {}, []string{"-registry=npmjs"}, "is not the URL of a registry"},
	} {
		t.Run(name, func(t *testing.T) {
			p := right()
			test.change(&p)
			dir := directory(t, p)
			before := contents(t, dir)
			err := run(t.Context(), append([]string{"-dir=" + dir, serve(t, packed)}, test.args...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}
