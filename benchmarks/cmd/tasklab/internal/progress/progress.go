// Package progress shows how far a subcommand is: a bar on a terminal, a line
// from time to time otherwise.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// View is what a display shows.
type View struct {
	measure.Tally
	Unreadable            int // directories
	Total                 int // tasks, as far as known
	Elapsed               time.Duration
	Busy, Workers, Queued int
	Longest               taskmanager.TaskStatus // of the task that has run longest
	Note                  string                 // what a user should know, instead of the load

	// Of simulations, which have no Tally.
	Replays, Replayed int // in all, and those that have ended
	Ended             int // tasks
}

// Done returns how many tasks have ended.
func (v *View) Done() int {
	if v.Replays > 0 {
		return v.Ended
	}
	return v.Tally.Done()
}

// Display shows views. One goroutine calls its methods.
type Display interface {
	// Interval returns the time between updates.
	Interval() time.Duration
	// WantsTotal reports whether it is worth counting the files in advance.
	WantsTotal() bool
	// Update shows a view.
	Update(v View)
	// Close ends the display. The view is the last one.
	Close(v View)
}

// New returns the display that suits w.
func New(w io.Writer) Display {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return newBar(f)
	}
	return lines{w}
}

// Show updates the display with what look returns, until the caller calls hide.
func Show(d Display, look func() View) (hide func()) {
	quit := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(d.Interval())
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.Update(look())
			case <-quit:
				d.Close(look())
				return
			}
		}
	})
	return func() {
		close(quit)
		showing.Wait()
	}
}

// lines is a display that writes a line for each update.
type lines struct{ w io.Writer }

func (lines) Interval() time.Duration { return 2 * time.Second }

func (lines) WantsTotal() bool { return false }

func (l lines) Update(v View) {
	if v.Replays > 0 {
		output.Say(l.w, "tasklab: %s\n", v.position())
		return
	}
	done := output.English().Sprintf("%d files found, %d done, %s", v.Found, v.Done(), output.Size(v.Bytes))
	output.Say(l.w, "tasklab: %s; %s\n", done, v.load())
}

func (lines) Close(View) {}

// position says how many of the tasks are done.
func (v *View) position() string {
	if v.Replays > 0 {
		return output.English().Sprintf("%d of %d simulations done, %d of %d tasks", v.Replayed, v.Replays, v.Done(), v.Total)
	}
	return output.English().Sprintf("%d of %d files", v.Done(), v.Total)
}

// load says what the manager is doing.
func (v *View) load() string {
	if v.Replays > 0 {
		return ""
	}
	if v.Note != "" {
		return v.Note
	}
	also := func(n int, became string) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf(", %d %s", n, became)
	}
	s := fmt.Sprintf("%d of %d workers busy, %d queued", v.Busy, v.Workers, v.Queued) +
		also(v.Failed+v.Unreadable, "failed") + also(v.Shed, "shed") + also(v.Dropped, "dropped")
	if v.Longest.Name != "" {
		s += fmt.Sprintf("; %3.0f%% of %s", 100*v.Longest.Progress, output.Printable(v.Longest.Name))
	}
	return s
}
