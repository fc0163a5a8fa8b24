package trace_test

import (
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

const swf = `; Version: 2.2
;   UnixStartTime: 879951180

    1   100     -1   1451  128     -1    -1   -1    -1    -1  1   1   1   1  1 -1 -1 -1
    2   160     10     -1   64     -1    -1  128    -1    -1  5   1   1   2  1 -1 -1 -1
    3   160.5    0    0.5   -1   3.25    -1    4    -1    -1  1  -1   1  -1  2 -1 -1 -1
    4    -1      0      1   -1     -1    -1    4    -1    -1  1   2   1  -1 -1 -1 -1 -1
	5  3700      0      0   -1     -1    -1   -1    -1    -1  5   7   1  -1 -1 -1 -1 -1
`

func TestSWF(t *testing.T) {
	var skipped []string
	got, failed := read(file("lpc.swf", swf, trace.SWF().OnSkip(func(e *trace.Error) { skipped = append(skipped, e.Error()) })))
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs", got, []simulate.Job{
		{Service: 1451 * time.Second, Kind: "app1", Key: "user1", Cost: 128},
		{At: 60500 * time.Millisecond, Service: time.Second / 2, Kind: "queue2", Cost: 4},
		{At: time.Hour, Key: "user7"},
	})
	check.Equal(t, "skipped", skipped, []string{
		"trace: lpc.swf, line 5: the run time is unknown", "trace: lpc.swf, line 7: the submit time is unknown",
	})
	without, _ := read(file("lpc.swf", swf, trace.SWF()))
	check.Equal(t, "jobs without OnSkip", without, got)
}

func TestMalformedSWF(t *testing.T) {
	const rest = " 128 -1 -1 -1 -1 -1 1 1 1 1 1 -1 -1 -1\n"
	for content, want := range map[string]string{
		"; nothing\n":             "trace: x.swf has no jobs",
		"1 2 3\n":                 "trace: x.swf, line 1: the line has 3 columns, but the Standard Workload Format has 18",
		"1 0 -1 5" + rest + "x\n": "trace: x.swf, line 2: the line has 1 column, but the Standard Workload Format has 18",
		"1 0 -1 5 7" + rest:       "trace: x.swf, line 1: the line has 19 columns, but the Standard Workload Format has 18",
		"1 -2 -1 5" + rest:        `trace: x.swf, line 1: the submit time: "-2" is negative`,
		"1 0 -1 nan" + rest:       `trace: x.swf, line 1: the run time: "nan" is not a finite number of seconds`,
		"1 0 -1 5 1.5 -1 -1 -1 -1 -1 1 1 1 1 1 -1 -1 -1": `trace: x.swf, line 1: the number of processors: "1.5" is not a whole number`,
		"1 0 -1 5 1 -1 -1 -1 -1 -1 1 me 1 1 1 -1 -1 -1":  `trace: x.swf, line 1: the user: "me" is not a whole number`,
		"1 9 -1 5" + rest + "1 4 -1 5" + rest:            "trace: x.swf, line 2: the job arrives at 4s, 5s before the one of line 1, at 9s: sort the file by arrival, or give a window of at least 5s",
	} {
		_, failed := read(file("x.swf", content, trace.SWF()))
		check.Equal(t, "error of "+content, failed, want)
	}
}
