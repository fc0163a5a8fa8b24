// Package text makes any text of a program fit to be shown: names, keys, errors and stacks may
// hold any bytes, of any number, and some characters change how the rest of a page reads.
package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of texts that are shown, in bytes.
const (
	NameLimit  = 400
	ErrorLimit = 2000
	StackLimit = 16 << 10
)

// ellipsis is the end of a text that was clipped.
const ellipsis = "…"

// Line returns s as one line of valid UTF-8 of at most limit bytes. Each run of invalid bytes becomes
// U+FFFD. Control characters, those that set the direction of writing, and invisible ones become
// escapes such as \u202e. A longer text is clipped and ends with "…". A text that needs no change is
// returned as it is, without an allocation.
func Line(s string, limit int) string { return fit(s, limit, hidden) }

// Block is Line for a text of several lines: line breaks and tabs remain.
func Block(s string, limit int) string {
	return fit(s, limit, func(r rune) bool { return r != '\n' && r != '\t' && hidden(r) })
}

// fit returns the text with the hidden characters escaped. Its cost does not depend on the
// length of s beyond the limit.
func fit(s string, limit int, hidden func(rune) bool) string {
	if len(s) <= limit && utf8.ValidString(s) && strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	clip := 0 // the length at which the text is clipped if it is too long
	valid := true
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		piece := s[:size]
		s = s[size:]
		invalid := r == utf8.RuneError && size == 1
		switch {
		case invalid && !valid:
			continue // the run has its mark
		case invalid:
			piece = string(utf8.RuneError)
		case hidden(r):
			piece = escape(r)
		}
		valid = !invalid
		if b.Len()+len(piece) > limit {
			return b.String()[:clip] + ellipsis
		}
		b.WriteString(piece)
		if b.Len() <= limit-len(ellipsis) {
			clip = b.Len()
		}
	}
	return b.String()
}

// escape returns the escape of a character in Go, such as \u202e.
func escape(r rune) string {
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// hidden reports whether a character is not seen as itself: it controls the output, changes the
// direction of writing, ends a line, or is invisible. The joiners U+200C and U+200D are not among
// them, since some scripts and emoji need them.
func hidden(r rune) bool {
	if r < 0x7f {
		return r < 0x20
	}
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return true
	case r == 0xad, r == 0x200b, r == 0x2028, r == 0x2029, r == 0xfeff:
		return true
	case 0x2060 <= r && r <= 0x2064, 0xfff9 <= r && r <= 0xfffb, 0xe0000 <= r && r <= 0xe007f:
		return true
	}
	return false
}
