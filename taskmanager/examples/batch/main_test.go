package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes files with the contents given, and returns their names.
func write(t *testing.T, contents ...string) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for i, content := range contents {
		file := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// line is what run prints for a file.
func line(file, content string) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(content)), file)
}

func TestSumsComeInTheOrderOfTheArguments(t *testing.T) {
	var contents []string
	for i := range 100 { // the first are the largest, and so the last to be read
		contents = append(contents, strings.Repeat("x", 1_000*(100-i)))
	}
	files := write(t, contents...)
	files, contents = append(files, files[0]), append(contents, contents[0]) // twice
	var want, out, screen bytes.Buffer
	for i, file := range files {
		want.WriteString(line(file, contents[i]))
	}
	if err := run(t.Context(), &out, &screen, files); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
	if screen.Len() > 0 {
		t.Errorf("got %q where there is no terminal, want nothing", &screen)
	}
}

func TestOtherFilesDoNotSufferFromAMissingOne(t *testing.T) {
	files := write(t, "a", "b")
	missing := filepath.Join(t.TempDir(), "missing")
	var out, screen bytes.Buffer
	err := run(t.Context(), &out, &screen, []string{files[0], missing, files[1]})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "2 "+missing) {
		t.Errorf("got %v, want an error for %q", err, "2 "+missing)
	}
	if diff := cmp.Diff(line(files[0], "a")+line(files[1], "b"), out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestCancellationEndsTheBatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, screen bytes.Buffer
	if err := run(ctx, &out, &screen, write(t, "a", "b")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if out.Len() > 0 {
		t.Errorf("got %q, want no output", &out)
	}
}

func TestNoFiles(t *testing.T) {
	var out, screen bytes.Buffer
	if err := run(t.Context(), &out, &screen, nil); err != nil || out.Len() > 0 {
		t.Errorf("got %q and %v, want no output and no error", &out, err)
	}
}
