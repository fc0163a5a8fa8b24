// Command batch prints the SHA-256 sums of files in the order of its arguments. It reads
// several files at once and shows a progress bar if the standard error stream is a terminal.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes the sums to out and draws the bar on screen. A file that cannot be read has no
// line in out; the error names all of them.
func run(ctx context.Context, out, screen io.Writer, files []string) error {
	m, err := taskmanager.Start() // as many workers as processors
	if err != nil {
		return err
	}
	progress := mpb.New(mpb.WithOutput(screen)) // draws nothing if screen is not a terminal
	bar := progress.AddBar(int64(len(files)),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d files")),
		mpb.AppendDecorators(decor.Percentage()))

	// WithCollect: a file that cannot be read does not cancel the others. WithGroupLimit: Go
	// waits while a thousand tasks are outstanding, so the memory in use does not grow with the
	// number of files.
	group := taskmanager.NewResultGroup[string](ctx, m,
		taskmanager.WithCollect(), taskmanager.WithGroupLimit(1000))
	for i, file := range files {
		name := fmt.Sprintf("%d %s", i+1, file) // names are unique, and a file may be given twice
		_ = group.Go(name, func(ctx context.Context) (string, error) {
			defer bar.Increment()
			return sum(ctx, file)
		}) // Wait returns this error too
	}

	// The end of ctx cancels the tasks, since it is the group's context. Wait has another one
	// here, and so returns after the last task, with the sums that are complete.
	sums, failed := group.Wait(context.Background())
	bar.Abort(false) // after a cancellation the bar is not full, and Wait would never return
	progress.Wait()

	for i, sum := range sums { // in the order of the submits, whichever task ended first
		if sum != "" {
			if _, err := fmt.Fprintf(out, "%s  %s\n", sum, files[i]); err != nil {
				failed = errors.Join(failed, err)
				break
			}
		}
	}
	return errors.Join(failed, m.Stop(context.Background()))
}

// sum returns the SHA-256 sum of a file in hexadecimal.
func sum(ctx context.Context, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	hash := sha256.New()
	if _, err := io.Copy(hash, reader{ctx, f}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// reader stops reading when its context ends. Without it, Ctrl-C would wait for a large file.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
