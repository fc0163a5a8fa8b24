package dashboard_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// assetNames returns the files of the directory assets.
func assetNames(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("assets"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Each file is served as it is, with a media type that does not depend on the machine.
func TestAssetsAreServed(t *testing.T) {
	_, d := watched(t)
	version := get[struct{ Version string }](t, d, "meta").Version
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
		".json": "application/json", "": "text/plain; charset=utf-8",
	}
	for _, name := range assetNames(t) {
		if name == "index.html" {
			continue
		}
		content, err := os.ReadFile(filepath.Join("assets", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		w := do(t, d, http.MethodGet, "/debug/assets/"+version+"/"+name, "")
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), content) {
			t.Errorf("%s: status %d, %d bytes, want %d", name, w.Code, w.Body.Len(), len(content))
		}
		mediaType, ok := types[path.Ext(name)]
		if !ok {
			t.Errorf("the test has no media type for %s", name)
		}
		equal(t, "media type of "+name, w.Header().Get("Content-Type"), mediaType)
		equal(t, "caching of "+name, w.Header().Get("Cache-Control"), "public, max-age=31536000, immutable")
	}
}

// The page loads only files that exist, and has no code or style of its own, which its policy forbids.
func TestThePageObeysItsPolicy(t *testing.T) {
	_, d := watched(t)
	page := do(t, d, http.MethodGet, "/", "").Body.String()
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) == 0 {
		t.Error("the page loads nothing")
	}
	for _, link := range links {
		if w := do(t, d, http.MethodGet, "/"+link[1], ""); w.Code != http.StatusOK {
			t.Errorf("the page loads %s: status %d", link[1], w.Code)
		}
	}
	for _, inline := range []string{`<script>`, `<style`, ` style=`, ` onload=`, ` onclick=`, `javascript:`, `//`} {
		if strings.Contains(page, inline) {
			t.Errorf("the page contains %q", inline)
		}
	}
}

// The zip of a Go module leaves out directories called vendor, and the embedding files that begin with a
// dot or an underscore. An ignored file would be missing in a release.
func TestTheModuleHasAllAssets(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if base := filepath.Base(name); base == "vendor" || base == ".gitignore" || base == ".gitattributes" {
			t.Errorf("the module contains %s", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, name := range assetNames(t) {
		for part := range strings.SplitSeq(name, "/") {
			if strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") || regexp.MustCompile(`[^a-zA-Z0-9._-]`).MatchString(part) {
				t.Errorf("%s would not be embedded, or not be in the zip of the module", name)
			}
		}
	}
}

// A program that vendors its dependencies has the embedded files too.
func TestVendoring(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	module, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(filepath.Dir(module))
	goMod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "github.com/seed56799101/taskmanager"
	dir := t.TempDir()
	_, requirements, _ := strings.Cut(string(goMod), "\n")
	requirements, _, _ = strings.Cut(requirements, "replace ")
	for name, content := range map[string]string{
		"go.mod": "module example.com/program\n" + requirements +
			"require " + prefix + "/adapters/dashboard v0.0.0\n" +
			"replace " + prefix + " => " + root + "\nreplace " + prefix + "/adapters/dashboard => " + module + "\n",
		"main.go": "package main\n\nimport _ \"" + prefix + "/adapters/dashboard\"\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), goTool, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("mod", "vendor")
	embedded := strings.Fields(run("list", "-mod=vendor", "-f", `{{join .EmbedFiles "\n"}}`, prefix+"/adapters/dashboard"))
	var want []string
	for _, name := range assetNames(t) {
		want = append(want, "assets/"+name)
	}
	slices.Sort(want)
	slices.Sort(embedded)
	equal(t, "embedded files of the vendored package", embedded, want)
}
