package run

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
)

// ten returns a key with ten files that waited for 1 to 10 ms.
func ten(key string) KeyReport {
	r := keyResult{Tally: measure.Tally{Found: 10, Read: 10, Bytes: 2000}}
	for i := range 10 {
		r.waits = append(r.waits, time.Duration(i+1)*time.Millisecond)
	}
	return newKeyReport(key, r, 123_456_789)
}

func TestTable(t *testing.T) {
	got := Report{
		Dir:            "DIR",
		Interrupted:    true,
		Queue:          "codel",
		Limit:          1000,
		Overflow:       "drop-oldest",
		Scaler:         "demand+stabilise",
		Restart:        "budget",
		Retries:        3,
		Tally:          measure.Tally{Found: 12_345, Read: 11_935, Failed: 1, Shed: 51, Dropped: 14, Unfinished: 344, Late: 1200, Bytes: 123_456_789},
		Skipped:        3,
		Lines:          3_000_000,
		Digest:         strings.Repeat("0123456789abcdef", 4),
		Elapsed:        1.23456,
		FilesPerSecond: 9720.06,
		BytesPerSecond: 100_000_639,
		QueueWaitP50:   1.004,
		QueueWaitP99:   22.5,
		RunTimeP50:     0.0123,
		RunTimeP99:     1500.1,
		WorkersMin:     1,
		WorkersMax:     8,
		PeakWorkers:    7,
		PeakBusy:       6,
		Restarts:       3,
		Keys: []KeyReport{
			{Key: ".", Tally: measure.Tally{Found: 5, Read: 5, Bytes: 500}, BytesShare: 0.0004, QueueWaitP50: 1, QueueWaitP99: 1.5},
			{Key: "none begun", Tally: measure.Tally{Found: 50, Shed: 40, Dropped: 10}},
			{Key: "b\x1b", Tally: measure.Tally{Found: 12_000, Read: 11_640, Failed: 1, Shed: 11, Dropped: 4, Unfinished: 344, Late: 1200, Bytes: 123_444_444}, BytesShare: 0.9999, QueueWaitP50: 1.004, QueueWaitP99: 22.5},
			ten("c1"), ten("c2"), ten("c3"), ten("c4"), ten("c5"), ten("c6"), ten("c7"), ten("c8"), ten("c9"),
		},
		Failures: []Failure{{"a\x1b[2J", "open: permission denied", 4}},
	}.Text()
	want := `
╭─────────────────────────────────────────────────────────────────────────────────╮
│ tasklab run DIR (interrupted)                                                   │
├──────────────────┬──────────────────┬───────────────────────────────────────────┤
│ files read       │           11,935 │ of 12,345 found                           │
│ files unfinished │              344 │ found, but not done when interrupted      │
│ shed             │               51 │ not read, having waited for too long      │
│ dropped          │               14 │ not read, as the queue was full           │
│ failures         │                1 │ files and directories                     │
│ restarts         │                3 │ executions other than the first of a file │
│ skipped          │                3 │ neither files nor directories             │
│ bytes            │        117.7 MiB │ 123,456,789                               │
│ lines            │        3,000,000 │                                           │
├──────────────────┼──────────────────┼───────────────────────────────────────────┤
│ elapsed          │            1.23s │                                           │
│ files/s          │            9,720 │ 95.4 MiB/s                                │
│ queue            │            codel │ limit 1,000, overflow drop-oldest         │
│ scaler           │ demand+stabilise │ for the number of workers                 │
│ restart          │           budget │ for the failures, up to 3 times a file    │
│ queue wait p50   │              1ms │ from submit to first execution            │
│ queue wait p99   │           22.5ms │                                           │
│ late             │            1,200 │ waited for over 100ms + 1ms per KiB       │
│ run time p50     │           12.3µs │ of the last execution                     │
│ run time p99     │             1.5s │                                           │
│ peak workers     │                7 │ of 1 to 8; 6 busy at the same time        │
├──────────────────┼──────────────────┼───────────────────────────────────────────┤
│ digest           │ 0123456789abcdef │ first digits; the same for the same files │
╰──────────────────┴──────────────────┴───────────────────────────────────────────╯
╭───────────────────────────────────────────────────────────────────────────────────────────────────────────────╮
│ by folder: files found, bytes read, waits in the queue                                                        │
├────────────┬────────┬────────┬──────┬─────────┬────────────┬───────────┬────────┬──────────┬──────────┬───────┤
│ folder     │  files │ failed │ shed │ dropped │ unfinished │     bytes │  share │ wait p50 │ wait p99 │  late │
├────────────┼────────┼────────┼──────┼─────────┼────────────┼───────────┼────────┼──────────┼──────────┼───────┤
│ "b\x1b"    │ 12,000 │      1 │   11 │       4 │        344 │ 117.7 MiB │ 100.0% │      1ms │   22.5ms │ 1,200 │
│ none begun │     50 │        │   40 │      10 │            │       0 B │   0.0% │        - │        - │       │
│ c1         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c2         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c3         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c4         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c5         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c6         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c7         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
│ c8         │     10 │        │      │         │            │   2.0 KiB │   0.0% │      5ms │     10ms │       │
├────────────┼────────┼────────┼──────┼─────────┼────────────┼───────────┼────────┼──────────┼──────────┼───────┤
│ 2 others   │     15 │        │      │         │            │   2.4 KiB │   0.0% │      5ms │     10ms │       │
╰────────────┴────────┴────────┴──────┴─────────┴────────────┴───────────┴────────┴──────────┴──────────┴───────╯
╭─────────────────────────────────────────────────╮
│ failures                                        │
├────────────┬──────────┬─────────────────────────┤
│ path       │ attempts │ error                   │
├────────────┼──────────┼─────────────────────────┤
│ "a\x1b[2J" │        4 │ open: permission denied │
╰────────────┴──────────┴─────────────────────────╯
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Error("table (-want +got):\n" + diff)
	}
}
