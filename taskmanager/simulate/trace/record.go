package trace

import (
	"bytes"
	"cmp"
	"io"
	"strconv"
	"time"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Header is the first line of a recording: a file of [Record] rows, such as the recorder writes.
const Header = "at,service,kind,key,priority,cost,deadline,fails,wait,outcome\n"

// Record is a row of a recording: a task that has ended. In the order of their ends, rows follow
// the [Header].
type Record struct {
	workload.Job // At is relative to the begin of the recording

	NeverRan bool            // the service time is unknown, and its field is empty
	Wait     time.Duration   // from the arrival to the first execution, or to the end if there was none
	Outcome  observe.Outcome // how the task ended
}

// Append appends the row of a record to b, with the end of the line. Times are exact to the
// nanosecond. It allocates only if b is too small.
func (r Record) Append(b []byte) []byte {
	b = appendJob(b, r.Job, r.NeverRan)
	b = append(b, ',')
	b = appendSeconds(b, r.Wait)
	b = append(b, ',')
	b = appendText(b, string(r.Outcome))
	return append(b, '\n')
}

const droppedPrefix = "# dropped "

// AppendDropped appends a line to b that says how many records are missing. [CSV] skips it and tells
// [Format.OnSkip].
func AppendDropped(b []byte, n int64) []byte {
	b = append(b, droppedPrefix...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, '\n')
}

// Write writes jobs as a file that [CSV] reads, provided that the first one arrives within 10⁸ seconds. An error of jobs ends the file early, and is returned.
func Write(w io.Writer, jobs workload.Jobs) error {
	b := []byte("at,service,kind,key,priority,cost,deadline,fails\n")
	for j, err := range jobs {
		if err == nil {
			b = append(appendJob(b, j, false), '\n')
		}
		if len(b) >= 32<<10 || err != nil {
			if _, failed := w.Write(b); failed != nil || err != nil {
				return cmp.Or(err, failed)
			}
			b = b[:0]
		}
	}
	_, err := w.Write(b)
	return err
}

// appendJob appends the fields of a job. A field with its default is empty.
func appendJob(b []byte, j workload.Job, neverRan bool) []byte {
	b = appendSeconds(b, j.At)
	b = append(b, ',')
	if !neverRan {
		b = appendSeconds(b, j.Service)
	}
	b = append(b, ',')
	b = appendText(b, j.Kind)
	b = append(b, ',')
	b = appendText(b, j.Key)
	b = appendNumber(b, int64(j.Priority))
	b = appendNumber(b, j.Cost)
	b = append(b, ',')
	if j.Deadline != 0 {
		b = appendSeconds(b, j.Deadline)
	}
	return appendNumber(b, int64(j.Fails))
}

// appendNumber appends a comma, and a number other than 0.
func appendNumber(b []byte, n int64) []byte {
	b = append(b, ',')
	if n == 0 {
		return b
	}
	return strconv.AppendInt(b, n, 10)
}

// appendText appends a text, in quotes if it needs them.
func appendText(b []byte, s string) []byte {
	needs := s != "" && (s[0] == ' ' || s[len(s)-1] == ' ')
	for i := 0; i < len(s) && !needs; i++ {
		needs = bytes.IndexByte([]byte(",\"\r\n#"), s[i]) >= 0
	}
	if !needs {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}
