package nats

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// logger passes messages to the logger of the user. It is silent without one, and ignores panics
// in it. The zero value is silent.
type logger struct{ to taskmanager.Logger }

func (l logger) infof(format string, args ...any) {
	if l.to == nil {
		return
	}
	defer func() { _ = recover() }()
	l.to.Infof(format, args...)
}

func (l logger) errorf(format string, args ...any) {
	if l.to == nil {
		return
	}
	defer func() { _ = recover() }()
	l.to.Errorf("%s", once(fmt.Sprintf(format, args...))) // the arguments are texts of errors, for example
}

// errorLimit bounds the texts of errors that are stored.
const errorLimit = 4 << 10

// clean returns a text for a header, a stored error or a message: valid UTF-8 on one line, of at most
// limit bytes. A longer text is truncated and ends with "…".
func clean(text string, limit int) string {
	if len(text) > 4*limit { // no more of a huge text than may be needed is converted
		text = text[:4*limit]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
