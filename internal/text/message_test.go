package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/text"
)

func TestCount(t *testing.T) {
	check.Equal(t, "none", text.Count(0, "task"), "0 tasks")
	check.Equal(t, "one", text.Count(1, "task"), "1 task")
	check.Equal(t, "two", text.Count(2, "task"), "2 tasks")
}

func TestNames(t *testing.T) {
	ten := strings.Split("abcdefghij", "")
	all := `"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"`
	check.Equal(t, "none", text.Names(nil, 0), "")
	check.Equal(t, "one", text.Names([]string{"a\n"}, 0), `"a\n"`)
	check.Equal(t, "ten", text.Names(ten, 0), all)
	check.Equal(t, "eleven", text.Names(append(ten, "k"), 0), all+" and 1 more")
	check.Equal(t, "ten and further ones", text.Names(ten, 5), all+" and 5 more")
	check.Equal(t, "eleven and further ones", text.Names(append(ten, "k"), 5), all+" and 6 more")

	long := text.Names([]string{strings.Repeat("é", 100)}, 0)
	check.Equal(t, "a long name", long, `"`+strings.Repeat("é", 48)+`…"`)
	odd := text.Names([]string{"x" + strings.Repeat("é", 100)}, 0) // the limit is within a rune
	check.Equal(t, "a long name that is cut within a rune", odd, `"x`+strings.Repeat("é", 48)+`…"`)
	check.Equal(t, "an invalid name is valid", utf8.ValidString(text.Names([]string{"\xff"}, 0)), true)
}
