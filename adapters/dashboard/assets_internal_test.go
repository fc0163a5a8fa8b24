package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// library is the directory of the files of npm packages.
const library = "assets/lib"

// The embedded files of npm packages are those of the lock, byte for byte, and no others.
// The command internal/npmassets compares the lock with the packages themselves.
func TestLibraries(t *testing.T) {
	b, err := fs.ReadFile(assetFiles, library+"/lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages []struct {
			Name, Version, Integrity string
			Files                    map[string]string
		}
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, p := range lock.Packages {
		if p.Version == "" || !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("package %s has the version %q and the integrity %q", p.Name, p.Version, p.Integrity)
		}
		if p.Files["LICENSE"] == "" {
			t.Errorf("the license of package %s is missing", p.Name)
		}
		for name, sum := range p.Files {
			want[path.Join(p.Name, name)] = sum
		}
	}
	if diff := cmp.Diff(want, hashes(t, library)); diff != "" {
		t.Errorf("SHA-256 of the files (-lock +embedded):\n%s", diff)
	}
}

// hashes returns the SHA-256 of the embedded files below a directory, without the lock.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(assetFiles, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "lock.json" {
			return err
		}
		b, err := fs.ReadFile(assetFiles, name)
		sum := sha256.Sum256(b)
		all[strings.TrimPrefix(name, dir+"/")] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The page is read and changed as it is: no file of ours is longer than 500 lines, and each script
// says what it is for.
func TestAssetStyle(t *testing.T) {
	err := fs.WalkDir(assetFiles, "assets", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(name, library) {
			return err
		}
		b, err := fs.ReadFile(assetFiles, name)
		if n := strings.Count(string(b), "\n"); n > 500 {
			t.Errorf("%s has %d lines; split it at 500", name, n)
		}
		if path.Ext(name) == ".js" && !strings.HasPrefix(string(b), "// ") {
			t.Errorf("%s does not begin with a comment that says what it is for", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
