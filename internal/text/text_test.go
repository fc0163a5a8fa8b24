package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/internal/text"
)

func TestClean(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"empty", "", 3, ""},
		{"short", "abc", 3, "abc"},
		{"too long", "abcdef", 5, "ab…"},
		{"too long by one", "abcd", 3, "…"},
		{"a character at the limit", "abé", 4, "abé"},
		{"a character across the limit", "aéé", 4, "a…"},
		{"invalid", "a\xffb", 10, "a\uFFFDb"},
		{"several invalid", "a\xff\xfe\xfdb", 10, "a\uFFFDb"},
		{"invalid, longer when replaced", "ab\xff", 4, "a…"},
		{"long and invalid", strings.Repeat("\xff", 100), 10, "\uFFFD…"},
		{"only continuations", strings.Repeat("\x80", 100), 10, "\uFFFD…"},
	} {
		check.Equal(t, c.name, text.Clean(c.in, c.limit), c.want)
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"plain \"é\" text":        "plain \"é\" text",
		"a\nb\r\tc":               `a\nb\r\tc`,
		"\x00\x1b[2J\x7f":         `\x00\x1b[2J\x7f`,
		"a\u0085b\u2028c\u2029d":  `a\u0085b\u2028c\u2029d`,
		"a\xffb":                  "a\uFFFDb",
		strings.Repeat("a", 400):  strings.Repeat("a", 253) + "…",
		strings.Repeat("\n", 256): strings.Repeat(`\n`, 256),
	} {
		check.Equal(t, "Line", text.Line(in, text.NameLimit), want)
	}
}

// TestCleanIsValidAndBounded checks any bytes, and that valid text keeps its beginning.
func TestCleanIsValidAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "text") {
			in = rapid.StringN(0, 40, 80).Draw(t, "text")
		}
		limit := rapid.IntRange(3, 60).Draw(t, "limit")
		got := text.Clean(in, limit)
		if !utf8.ValidString(got) || len(got) > limit {
			t.Fatalf("Clean(%q, %d) = %q", in, limit, got)
		}
		if again := text.Clean(got, limit); again != got {
			t.Fatalf("Clean(%q) = %q", got, again)
		}
		if !utf8.ValidString(in) {
			return
		}
		kept, truncated := strings.CutSuffix(got, "…")
		if len(in) <= limit && got != in || len(in) > limit && (!truncated || !strings.HasPrefix(in, kept) || len(kept)+6 < limit) {
			t.Fatalf("Clean(%q, %d) = %q", in, limit, got)
		}
	})
}

func TestCleanAllocatesNothingForUsualText(t *testing.T) {
	name := strings.Repeat("name ", 40)
	if n := testing.AllocsPerRun(100, func() { text.Clean(name, text.NameLimit) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestCleanOfAHugeTextIsCheap checks that the cost does not depend on the length.
func TestCleanOfAHugeTextIsCheap(t *testing.T) {
	huge := strings.Repeat("a\xff", 50<<20)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text.Clean(huge, text.NameLimit)
		}
	}).AllocedBytesPerOp()
	if allocated > 16*text.NameLimit {
		t.Errorf("%d bytes were allocated", allocated)
	}
}
