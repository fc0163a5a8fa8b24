package nats

import (
	"errors"
	"fmt"
	"strings"
)

const hexDigits = "0123456789ABCDEF"

// encode returns s as one token of a subject, which is a key of a bucket too. ASCII letters,
// digits, "-", "_" and "/" stay, so that subjects are legible; each other byte becomes "=XX". The
// empty text is "=". Different texts have different tokens, and no text can add a token or a
// wildcard to a subject.
func encode(s string) string {
	if s == "" {
		return "="
	}
	n := 0
	for i := range len(s) {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// plain reports whether encode leaves a byte as it is.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/'
}

var errToken = errors.New("not a token of this package")

// decode inverts encode. It refuses every token that encode does not make.
func decode(token string) (string, error) {
	if token == "=" {
		return "", nil
	}
	if token == "" {
		return "", fmt.Errorf("%w: it is empty", errToken)
	}
	first := strings.IndexFunc(token, func(r rune) bool { return r >= 0x80 || !plain(byte(r)) })
	if first < 0 {
		return token, nil
	}
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		switch {
		case plain(c):
			b = append(b, c)
		case c != '=' || i+2 >= len(token):
			return "", fmt.Errorf("%w: %s", errToken, quote(token))
		default:
			hi, lo := strings.IndexByte(hexDigits, token[i+1]), strings.IndexByte(hexDigits, token[i+2])
			if hi < 0 || lo < 0 || plain(byte(hi<<4|lo)) {
				return "", fmt.Errorf("%w: %s", errToken, quote(token))
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		}
	}
	return string(b), nil
}
