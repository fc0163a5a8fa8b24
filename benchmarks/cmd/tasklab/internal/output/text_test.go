package output

import (
	"testing"
	"time"
)

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0s",
		999:                      "999ns",
		12_345:                   "12.3µs",
		999_999:                  "1ms",
		90*time.Second + 123_456: "1m30s",
		1_234_567_890:            "1.23s",
	} {
		if got := Short(d); got != want {
			t.Errorf("Short(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 tasks", 1: "1 task", 12_345: "12,345 tasks"} {
		if got := Count(n, "task"); got != want {
			t.Errorf("Count(%d) is %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 5 * time.Minute: "5m", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for path, want := range map[string]string{
		"a b/ü.txt": "a b/ü.txt",
		"\x1b[31m":  `"\x1b[31m"`,
		"\xff":      `"\xff"`,
		`a"b`:       `"a\"b"`,
	} {
		if got := Printable(path); got != want {
			t.Errorf("Printable(%q) = %s, want %s", path, got, want)
		}
	}
}
