package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	err := report{
		Dir:             "DIR",
		Interrupted:     true,
		FilesFound:      12_345,
		FilesRead:       12_000,
		FilesUnfinished: 344,
		Skipped:         3,
		Bytes:           123_456_789,
		Lines:           3_000_000,
		Digest:          strings.Repeat("0123456789abcdef", 4),
		Elapsed:         1.23456,
		FilesPerSecond:  9720.06,
		BytesPerSecond:  100_000_639,
		QueueWaitP50:    1.004,
		QueueWaitP99:    22.5,
		RunTimeP50:      0.0123,
		RunTimeP99:      1500.1,
		WorkersMin:      1,
		WorkersMax:      8,
		PeakWorkers:     7,
		PeakBusy:        6,
		Restarts:        3,
		Failures:        []failure{{"a\x1b[2J", "open: permission denied", 4}},
	}.writeTable(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := `
╭─────────────────────────────────────────────────────────────────────────────────╮
│ tasklab run DIR (interrupted)                                                   │
├──────────────────┬──────────────────┬───────────────────────────────────────────┤
│ files read       │           12,000 │ of 12,345 found                           │
│ files unfinished │              344 │ found, but neither read nor failed        │
│ failures         │                1 │ files and directories                     │
│ restarts         │                3 │ executions other than the first of a file │
│ skipped          │                3 │ neither files nor directories             │
│ bytes            │        117.7 MiB │ 123,456,789                               │
│ lines            │        3,000,000 │                                           │
├──────────────────┼──────────────────┼───────────────────────────────────────────┤
│ elapsed          │            1.23s │                                           │
│ files/s          │            9,720 │ 95.4 MiB/s                                │
│ queue wait p50   │              1ms │ from submit to first execution            │
│ queue wait p99   │           22.5ms │                                           │
│ run time p50     │           12.3µs │ of the last execution                     │
│ run time p99     │             1.5s │                                           │
│ peak workers     │                7 │ of 1 to 8; 6 busy at the same time        │
├──────────────────┼──────────────────┼───────────────────────────────────────────┤
│ digest           │ 0123456789abcdef │ first digits; the same for the same files │
╰──────────────────┴──────────────────┴───────────────────────────────────────────╯
╭─────────────────────────────────────────────────╮
│ failures                                        │
├────────────┬──────────┬─────────────────────────┤
│ path       │ attempts │ error                   │
├────────────┼──────────┼─────────────────────────┤
│ "a\x1b[2J" │        4 │ open: permission denied │
╰────────────┴──────────┴─────────────────────────╯
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Error("table (-want +got):\n" + diff)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0s",
		999:                      "999ns",
		12_345:                   "12.3µs",
		999_999:                  "1ms",
		90*time.Second + 123_456: "1m30s",
		1_234_567_890:            "1.23s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, want %s", d, got, want)
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
		if got := printable(path); got != want {
			t.Errorf("printable(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestBarText(t *testing.T) {
	v := view{counts: counts{done: 1999, bytes: 1 << 20}, total: 2000, elapsed: 2 * time.Second}
	if got, want := files(&v), "1,999 of 2,000 files"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := speed(&v), " 99%  1.0 MiB  1,000 files/s  ETA 1s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := speed(new(view)), "  0%"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A bar on what is no terminal draws nothing, but has to end all the same.
func TestBarEnds(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := newBar(null)
	b.update(view{counts: counts{done: 1}, total: 2})
	b.close(view{})
	if err := null.Close(); err != nil {
		t.Error(err)
	}
}
