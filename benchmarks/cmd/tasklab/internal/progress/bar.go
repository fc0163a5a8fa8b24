package progress

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

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// bar is a display for terminals: a bar, and below it what the manager is doing.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	latest    *atomic.Pointer[View] // the container's goroutine draws it
}

const refresh = 100 * time.Millisecond

func newBar(terminal *os.File) bar {
	console := cupwriter.New(returning{terminal}, false)
	console.SetTermFd(int(terminal.Fd()))
	b := bar{
		container: mpb.New(mpb.WithConsoleWriter(console), mpb.WithRefreshRate(refresh)),
		latest:    new(atomic.Pointer[View]),
	}
	b.latest.Store(new(View))
	b.bar = b.container.New(0, // each update sets the total
		mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding("░").Rbound("▏"),
		mpb.PrependDecorators(b.decorator((*View).position)),
		mpb.AppendDecorators(b.decorator((*View).speed)),
		mpb.BarBtmExtender(mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
			_, err := fmt.Fprintln(w, text.Snip(b.latest.Load().load(), s.AvailableWidth, "…"))
			return err
		})),
	)
	return b
}

// decorator draws a part of the latest view.
func (b bar) decorator(part func(v *View) string) decor.Decorator {
	return decor.Any(func(decor.Statistics) string { return part(b.latest.Load()) })
}

// speed is the text behind the bar. The percentage is rounded down and the
// remaining time up, so that neither claims that the work is done before it is.
func (v *View) speed() string {
	if v.Done() == 0 || v.Elapsed <= 0 {
		return "  0%"
	}
	percent, passed := 100*v.Done()/v.Total, v.Elapsed.Seconds()
	left := time.Duration(math.Ceil(float64(v.Total-v.Done())*passed/float64(v.Done()))) * time.Second
	if v.Replays > 0 {
		return output.English().Sprintf("%3d%%  %.0f tasks/s  ETA %v", percent, float64(v.Done())/passed, left)
	}
	return output.English().Sprintf("%3d%%  %s  %.0f files/s  ETA %v", percent, output.Size(v.Bytes), float64(v.Read)/passed, left)
}

func (bar) Interval() time.Duration { return refresh }

func (bar) WantsTotal() bool { return true }

func (b bar) Update(v View) {
	b.latest.Store(&v)
	b.bar.SetTotal(int64(v.Total), false)
	b.bar.SetCurrent(int64(v.Done()))
}

// Close removes the bar to make room for the table.
func (b bar) Close(View) {
	const drop = true
	b.bar.Abort(drop)
	b.container.Wait()
}

// returning moves the cursor to the first column before it writes. The cursor may
// be elsewhere: a terminal echoes an interrupt as ^C.
type returning struct{ w io.Writer }

func (r returning) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, "\r"); err != nil {
		return 0, err
	}
	return r.w.Write(p)
}
