// Package output formats what the program prints: messages, numbers, tables and
// JSON.
package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Say writes a message to the user. It ignores a failed write: there is nowhere
// else to report it.
func Say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// English returns a printer that groups the digits of numbers.
func English() *message.Printer { return message.NewPrinter(language.English) }

// Count returns a number with a noun, which has an s unless the number is 1.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return English().Sprintf("%d %s", n, noun)
}

// Size formats a number of bytes.
func Size(bytes int64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("% .1f", decor.SizeB1024(bytes))
}

// Short formats a duration with three digits.
func Short(d time.Duration) string {
	scale := time.Duration(1)
	for d/scale >= 1000 {
		scale *= 10
	}
	return d.Round(scale).String()
}

// Duration formats a duration without zeros at its end: 5m0s is 5m.
func Duration(d time.Duration) string {
	s := d.String()
	for _, end := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, end) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// ShortMilliseconds formats a number of milliseconds as a duration with three
// digits.
func ShortMilliseconds(ms float64) string {
	return Short(time.Duration(ms * float64(time.Millisecond)))
}

// Printable returns a path that is safe to print. A path with characters that
// do not print, such as those that control terminals, is quoted as in Go.
func Printable(path string) string {
	quoted := strconv.Quote(path)
	if quoted[1:len(quoted)-1] == path {
		return path
	}
	return quoted
}
