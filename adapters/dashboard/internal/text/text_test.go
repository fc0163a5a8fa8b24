package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/adapters/dashboard/internal/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"thumbnail/42":                       "thumbnail/42",
		"größe 大 <b>&amp;</b>":               "größe 大 <b>&amp;</b>",
		"a\u202eb":                           `a\u202eb`,
		"a\nb\tc\x00\x7f\x1b":                `a\nb\tc\x00\x7f\x1b`,
		"a\xff\xfeb\xff":                     "a\ufffdb\ufffd",
		"a\ufffdb":                           "a\ufffdb",
		"\u2066x\u2069\u2028":                `\u2066x\u2069\u2028`,
		"\U000e0041":                         `\U000e0041`,
		"👩\u200d🚀 می\u200cخواهم":             "👩\u200d🚀 می\u200cخواهم",
		"0123456789012345678901234567890123": "012345678901234567890123456…",
		"012345678901234567890123456\u202e":  "012345678901234567890123456…",
		"01234567890123456789012345é78":      "01234567890123456789012345é78",
		"01234567890123456789012345é7890":    "01234567890123456789012345…",
	} {
		if got := text.Line(in, 30); got != want {
			t.Errorf("Line(%q) is %q, want %q", in, got, want)
		}
	}
	if got, want := text.Block("a\n\tb\r\u202e", 30), "a\n\tb\\r\\u202e"; got != want {
		t.Errorf("Block is %q, want %q", got, want)
	}
}

func TestEveryLineCanBeShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		limit := rapid.IntRange(3, 60).Draw(t, "limit")
		got := text.Line(in, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("Line(%q, %d) is %q", in, limit, got)
		}
		if text.Line(got, limit) != got {
			t.Errorf("Line(%q, %d) changes when it is made fit again", in, limit)
		}
	})
}

func TestTheCostDoesNotDependOnTheLength(t *testing.T) {
	long := strings.Repeat("x", 100<<20)
	allocated := testing.AllocsPerRun(1000, func() { text.Line(long, text.NameLimit) }) // 100 GB if all of it were read
	if allocated > 20 {
		t.Errorf("%v allocations", allocated)
	}
}
