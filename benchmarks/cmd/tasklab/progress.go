package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// view is what a display shows of a run.
type view struct {
	counts
	setting               string // what is being measured, with compare
	total                 int    // tasks, as far as is known
	elapsed               time.Duration
	busy, workers, queued int
	longest               taskmanager.TaskStatus // the task that has been running for the longest time
}

// display shows how far a run is. Its methods are called by one goroutine.
type display interface {
	interval() time.Duration // at which to update
	wantsTotal() bool        // whether it is worth a walk to count the files in advance
	update(v view)
	close(v view) // with the last view
}

// newDisplay makes the display that suits w: a bar where it can be drawn.
func newDisplay(w io.Writer) display {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return newBar(f)
	}
	return lines{w}
}

// show keeps the display up to date until the function that it returns is
// called.
func show(d display, look func() view) (hide func()) {
	quit := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(d.interval())
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.update(look())
			case <-quit:
				d.close(look())
				return
			}
		}
	})
	return func() {
		close(quit)
		showing.Wait()
	}
}

// lines is a display for what is no terminal.
type lines struct{ w io.Writer }

func (lines) interval() time.Duration { return 2 * time.Second }

func (lines) wantsTotal() bool { return false }

func (l lines) update(v view) {
	so := english().Sprintf("%d files found, %d done, %s", v.Found, v.done(), size(v.Bytes))
	if v.setting != "" {
		so = progress(&v) + " done"
	}
	say(l.w, "tasklab: %s; %s\n", so, v.load())
}

func (lines) close(view) {}

// load says what the manager is at.
func (v view) load() string {
	also := func(n int, became string) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf(", %d %s", n, became)
	}
	s := fmt.Sprintf("%d of %d workers busy, %d queued", v.busy, v.workers, v.queued) +
		also(v.Failed+v.closed, "failed") + also(v.Shed, "shed") + also(v.Dropped, "dropped")
	if v.longest.Name != "" {
		s += fmt.Sprintf("; %3.0f%% of %s", 100*v.longest.Progress, printable(v.longest.Name))
	}
	return s
}
