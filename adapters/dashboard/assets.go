package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// assetFiles are the page, its scripts and its styles. Their directory and the directories in it must
// not be called vendor, because the zip of a Go module leaves such directories out.
//
//go:embed assets
var assetFiles embed.FS

// indexFile is the template of the page.
const indexFile = "index.html"

// assetTree holds the embedded files. It never changes.
type assetTree struct {
	version string // identifies the contents of all files
	files   map[string]asset
	index   *template.Template
}

// asset is a file, with its media type.
type asset struct {
	mediaType string
	content   []byte
}

// assets returns the embedded files.
var assets = sync.OnceValue(func() *assetTree {
	sub, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err) // the name is valid
	}
	return newAssetTree(sub)
})

// newAssetTree reads files, which are those of the program, so a fault is a panic.
func newAssetTree(files fs.FS) *assetTree {
	t := &assetTree{files: make(map[string]asset), index: template.Must(template.ParseFS(files, indexFile))}
	hash := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		hash.Write([]byte(name + "\x00"))
		sum := sha256.Sum256(content)
		hash.Write(sum[:])
		if name != indexFile {
			t.files[name] = asset{mediaTypes[strings.ToLower(path.Ext(name))], content}
		}
		return err
	})
	if err != nil {
		panic(err)
	}
	t.version = hex.EncodeToString(hash.Sum(nil))[:16]
	return t
}

// mediaTypes are the media types of files by their extensions. They do not come from the tables of
// the machine, which may have any.
var mediaTypes = map[string]string{
	"":       "text/plain; charset=utf-8", // such as LICENSE
	".css":   "text/css; charset=utf-8",
	".ico":   "image/x-icon",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".map":   "application/json",
	".md":    "text/plain; charset=utf-8",
	".mjs":   "text/javascript; charset=utf-8",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// page returns the HTML of the page.
func (t *assetTree) page(title string) []byte {
	var b bytes.Buffer
	if err := t.index.Execute(&b, struct{ Title, Version string }{title, t.version}); err != nil {
		panic(err) // the template is that of the program
	}
	return b.Bytes()
}
