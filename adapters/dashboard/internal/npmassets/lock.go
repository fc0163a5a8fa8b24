package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// lockName is the default name of the lock, in the directory of the files.
const lockName = "lock.json"

// lock lists the packages, and the files that are taken from each.
type lock struct {
	Packages []pack `json:"packages"`
}

// pack is a package of the registry. Its files are in a directory with its name.
type pack struct {
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	Integrity string            `json:"integrity"` // of the tarball, as npm writes it
	Files     map[string]string `json:"files"`     // SHA-256 by path in the package
}

// readLock reads a lock, and checks that its paths stay below the directory of the files.
func readLock(file string) (*lock, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	l := new(lock)
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, p := range l.Packages {
		for _, name := range append(p.paths(), p.Name) {
			if !filepath.IsLocal(name) || path.Clean(name) != name {
				return nil, fmt.Errorf("%s: %q of package %q is no path below a directory", file, name, p.Name)
			}
		}
	}
	return l, nil
}

// write writes the lock to a file.
func (l *lock) write(file string) error {
	slices.SortFunc(l.Packages, func(a, b pack) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// paths returns the sorted paths of the files.
func (p pack) paths() []string { return slices.Sorted(maps.Keys(p.Files)) }

// integrity returns the hash of a tarball as npm writes it.
func integrity(tarball []byte) string {
	sum := sha512.Sum512(tarball)
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// sum returns the hash of a file as the lock has it.
func sum(file []byte) string {
	s := sha256.Sum256(file)
	return hex.EncodeToString(s[:])
}
