package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// maxSize bounds what is read for one package, fetched or unpacked. The packages have a few MB.
const maxSize = 64 << 20

// registry is an npm registry.
type registry struct {
	base   *url.URL
	client *http.Client
}

// get fetches a path of the registry.
func (r registry) get(ctx context.Context, elem ...string) ([]byte, error) {
	address := r.base.JoinPath(elem...)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with %s", address, resp.Status)
	}
	return readAll(resp.Body)
}

// readAll reads at most maxSize bytes.
func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err == nil && len(b) > maxSize {
		return nil, fmt.Errorf("more than %d MB", maxSize>>20)
	}
	return b, err
}

// integrity returns the hash that the registry has for a package.
func (r registry) integrity(ctx context.Context, p pack) (string, error) {
	b, err := r.get(ctx, p.Name, p.Version)
	if err != nil {
		return "", err
	}
	var about struct {
		Dist struct {
			Integrity string `json:"integrity"`
		} `json:"dist"`
	}
	if err := json.Unmarshal(b, &about); err != nil {
		return "", fmt.Errorf("%s %s: the description of the package: %w", p.Name, p.Version, err)
	}
	return about.Dist.Integrity, nil
}

// files fetches a package, and returns the files that the lock has of it. Hashes of files that the
// lock lacks are added to it.
func (r registry) files(ctx context.Context, p pack) (map[string][]byte, error) {
	// A scoped package, @scope/name, has a tarball without the scope in its name.
	tarball, err := r.get(ctx, p.Name, "-", path.Base(p.Name)+"-"+p.Version+".tgz")
	if err != nil {
		return nil, err
	}
	if got := integrity(tarball); got != p.Integrity {
		return nil, fmt.Errorf("the package has the hash %s; the lock has %s", got, p.Integrity)
	}
	all, err := unpack(tarball)
	if err != nil {
		return nil, fmt.Errorf("the package: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range p.paths() {
		content, ok := all[name]
		if !ok {
			return nil, fmt.Errorf("the package has no file %q", name)
		}
		got := sum(content)
		if want := p.Files[name]; want != "" && got != want {
			return nil, fmt.Errorf("file %q has the hash %s; the lock has %s", name, got, want)
		}
		p.Files[name] = got
		files[name] = content
	}
	return files, nil
}

// unpack returns the regular files of a tarball by their paths below its top directory, which is
// called package in nearly all tarballs.
func unpack(tarball []byte) (map[string][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return nil, err
	}
	files, left := map[string][]byte{}, int64(maxSize)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		_, name, below := strings.Cut(h.Name, "/")
		if h.Typeflag != tar.TypeReg || !below {
			continue
		}
		if left -= h.Size; left < 0 {
			return nil, fmt.Errorf("more than %d MB", maxSize>>20)
		}
		if files[name], err = io.ReadAll(t); err != nil {
			return nil, err
		}
	}
}
