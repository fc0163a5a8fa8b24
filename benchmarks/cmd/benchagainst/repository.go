package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
)

// repository is a git repository with a working tree.
type repository struct{ dir string }

// openRepository opens the repository that holds a directory.
func openRepository(ctx context.Context, dir string) (repository, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return repository{}, errors.New("git is needed to read the old revision, and was not found; install it")
	}
	top, err := repository{dir}.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return repository{}, fmt.Errorf("this needs a git checkout: %w", err)
	}
	return repository{strings.TrimSpace(string(top))}, nil
}

// commit returns the hash and the first line of the message of a revision.
func (r repository) commit(ctx context.Context, rev string) (hash, title string, err error) {
	out, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		hint := "give a commit, a branch or a tag, such as HEAD~1"
		if shallow, err := r.git(ctx, "rev-parse", "--is-shallow-repository"); err == nil && strings.TrimSpace(string(shallow)) == "true" {
			hint = "this clone has only a part of the history, which git fetch --unshallow completes"
		}
		return "", "", fmt.Errorf("-rev: the repository has no revision %q; %s", rev, hint)
	}
	hash = strings.TrimSpace(string(out))
	out, err = r.git(ctx, "show", "--no-patch", "--format=%s", hash)
	return hash, strings.TrimSpace(string(out)), err
}

// files returns the files of a commit.
func (r repository) files(ctx context.Context, hash string) (fs.FS, error) {
	archive, err := r.git(ctx, "archive", "--format=zip", hash)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
}

// changed reports whether the working tree differs from the last commit.
func (r repository) changed(ctx context.Context) (bool, error) {
	out, err := r.git(ctx, "status", "--porcelain")
	return len(out) > 0, err
}

// git runs git in the repository and returns what it prints.
func (r repository) git(ctx context.Context, args ...string) ([]byte, error) {
	return command(ctx, r.dir, nil, "git", args...)
}

// command runs a program in a directory, with more environment variables, and returns its
// standard output. The error has everything that it printed.
func command(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	var out, all bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(c.Environ(), env...)
	c.Stdout, c.Stderr = &out, &all
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", strings.Join(append([]string{name}, args...), " "), err, all.Bytes(), out.Bytes())
	}
	return out.Bytes(), nil
}
