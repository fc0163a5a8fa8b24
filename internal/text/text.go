// Package text prepares text for telemetry, profiles, logs and errors.
//
// Names, kinds, errors and panic values may hold any bytes, of any number. One invalid byte makes an
// OTLP exporter drop the whole batch, and the execution tracer of Go cannot take long strings. So
// all text passes through [Clean] before it leaves the process.
package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits, in bytes.
const (
	NameLimit  = 256       // names, kinds, keys and types
	ErrorLimit = 4 * 1024  // texts of errors
	StackLimit = 16 * 1024 // stacks
)

// mark is the end of a text that was truncated.
const mark = "…"

// Clean returns s as valid UTF-8 of at most limit bytes, which must be at least three. It replaces
// each run of invalid bytes by U+FFFD. A text that is too long is truncated between two characters
// and ends with "…". A text that is valid and short enough is returned as it is, without an
// allocation.
func Clean(s string, limit int) string {
	if len(s) <= limit && utf8.ValidString(s) {
		return s
	}
	long := len(s) > limit
	if long {
		s = cut(s, limit) // first, so that the cost does not depend on the length
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if !long && len(s) <= limit {
		return s
	}
	return cut(s, limit-len(mark)) + mark
}

// cut returns at most n bytes of s, without a part of a character at the end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := n
	for end > 0 && n-end < utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Line is Clean for a text that becomes part of a line of a log: it also escapes control characters
// and line separators as Go does. Otherwise a line break in a name or an error would begin a line
// that looks like another message.
func Line(s string, limit int) string {
	s = Clean(s, limit)
	if strings.IndexFunc(s, breaks) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !breaks(r) {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRuneToASCII(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}

// breaks reports whether a character may end a line or control a terminal.
func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
