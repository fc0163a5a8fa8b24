package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/cupwriter"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bar is a display for terminals: a bar, and below it what the manager is at.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	latest    *atomic.Pointer[view] // for what is drawn, on a goroutine of the container
}

const refresh = 100 * time.Millisecond

func newBar(terminal *os.File) bar {
	console := cupwriter.New(returning{terminal}, false)
	console.SetTermFd(int(terminal.Fd()))
	b := bar{
		container: mpb.New(mpb.WithConsoleWriter(console), mpb.WithRefreshRate(refresh)),
		latest:    new(atomic.Pointer[view]),
	}
	b.latest.Store(new(view))
	b.bar = b.container.New(0, // the total comes with the updates
		mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding("░").Rbound("▏"),
		mpb.PrependDecorators(b.draw(progress)),
		mpb.AppendDecorators(b.draw(speed)),
		mpb.BarBtmExtender(mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
			_, err := fmt.Fprintln(w, text.Snip(b.latest.Load().load(), s.AvailableWidth, "…"))
			return err
		})),
	)
	return b
}

// draw shows something of the latest view.
func (b bar) draw(f func(v *view) string) decor.Decorator {
	return decor.Any(func(decor.Statistics) string { return f(b.latest.Load()) })
}

// progress is what stands before the bar.
func progress(v *view) string {
	if v.setting != "" {
		return english().Sprintf("%s: %d of %d tasks", v.setting, v.done(), v.total)
	}
	return english().Sprintf("%d of %d files", v.done(), v.total)
}

// speed is what stands behind the bar. The percentage is rounded down, and the
// time that is left up: nearly done is not done.
func speed(v *view) string {
	if v.done() == 0 || v.elapsed <= 0 {
		return "  0%"
	}
	percent, passed := 100*v.done()/v.total, v.elapsed.Seconds()
	if v.setting != "" { // the time that is left is not for the manager to say
		return english().Sprintf("%3d%%  %.0f tasks/s", percent, float64(v.done())/passed)
	}
	left := time.Duration(math.Ceil(float64(v.total-v.done())*passed/float64(v.done()))) * time.Second
	return english().Sprintf("%3d%%  %s  %.0f files/s  ETA %v", percent, size(v.Bytes), float64(v.Read)/passed, left)
}

func (bar) interval() time.Duration { return refresh }

func (bar) wantsTotal() bool { return true }

func (b bar) update(v view) {
	b.latest.Store(&v)
	b.bar.SetTotal(int64(v.total), false)
	b.bar.SetCurrent(int64(v.done()))
}

// close takes the bar away, to make room for the table.
func (b bar) close(view) {
	const drop = true
	b.bar.Abort(drop)
	b.container.Wait()
}

// returning returns to the first column before it writes. The cursor may have
// left it: a terminal echoes an interrupt as ^C.
type returning struct{ w io.Writer }

func (r returning) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, "\r"); err != nil {
		return 0, err
	}
	return r.w.Write(p)
}
