package trace_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// file returns the workload of a file with the given content.
func file[S ~string | ~[]byte](name string, content S, f trace.Format) simulate.Workload {
	return trace.OpenFS(fstest.MapFS{name: {Data: []byte(content)}}, name, f)
}

// read returns the jobs of a workload, and the text of its error.
func read(w simulate.Workload) (jobs []simulate.Job, failed string) {
	for j, err := range w {
		if err != nil {
			return jobs, err.Error()
		}
		jobs = append(jobs, j)
	}
	return jobs, ""
}

// anyTime draws times of which the sum of two is a time.
var anyTime = rapid.OneOf(
	rapid.Just(time.Duration(0)),
	rapid.Map(rapid.Int64Range(0, 5), func(s int64) time.Duration { return time.Duration(s) * time.Second }),
	rapid.Map(rapid.Int64Range(0, 1<<62-1), func(ns int64) time.Duration { return time.Duration(ns) }),
	rapid.Map(rapid.Int64Range(0, 10e9), func(ns int64) time.Duration { return time.Duration(ns) }),
)

var anyText = rapid.OneOf(
	rapid.SampledFrom([]string{"", "a", "at", "service", "#", " ", ",", `"`, "\r\n", "\r", "\n", "\x00\xff", "# dropped 3\n"}),
	rapid.String(),
	rapid.Map(rapid.SliceOf(rapid.SampledFrom([]byte(" \"#,\r\nx"))), func(b []byte) string { return string(b) }),
)

var anyJob = rapid.Custom(func(t *rapid.T) simulate.Job {
	return simulate.Job{
		At:       anyTime.Draw(t, "at"),
		Service:  anyTime.Draw(t, "service"),
		Kind:     anyText.Draw(t, "kind"),
		Key:      anyText.Draw(t, "key"),
		Priority: rapid.Int().Draw(t, "priority"),
		Cost:     rapid.Int64Min(0).Draw(t, "cost"),
		Deadline: anyTime.Draw(t, "deadline"),
		Fails:    rapid.IntMin(0).Draw(t, "fails"),
	}
})

func byArrival(a, b simulate.Job) int { return int(min(max(a.At-b.At, -1), 1)) }

func TestWrittenJobsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs := rapid.SliceOfN(anyJob, 1, 20).Draw(t, "jobs")
		slices.SortStableFunc(jobs, byArrival)
		jobs[0].At = min(jobs[0].At, 1e8*time.Second)
		var b bytes.Buffer
		err := trace.Write(&b, func(yield func(simulate.Job, error) bool) {
			for _, j := range jobs {
				if !yield(j, nil) {
					return
				}
			}
		})
		check.Equal(t, "error of Write", err, nil)
		got, failed := read(file("jobs.csv", b.Bytes(), trace.CSV()))
		check.Equal(t, "error", failed, "")
		check.Equal(t, "jobs", got, jobs)
	})
}

func TestRecordsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(trace.Header)
		var want []simulate.Job
		for _, j := range rapid.SliceOfN(anyJob, 1, 20).Draw(t, "jobs") {
			r := trace.Record{Job: j, Wait: anyTime.Draw(t, "wait"), Outcome: observe.Success}
			b = r.Append(b)
			if rapid.Bool().Draw(t, "dropped") {
				b = trace.AppendDropped(b, 3)
			}
			if rapid.Bool().Draw(t, "header") {
				b = append(b, trace.Header...)
			}
			want = append(want, j)
		}
		slices.SortStableFunc(want, byArrival)
		first := want[0].At
		for i := range want {
			want[i].At -= first
		}
		got, failed := read(file("record.csv", b, trace.CSV()))
		check.Equal(t, "error", failed, "")
		check.Equal(t, "jobs", got, want)
	})
}

func TestTasksThatNeverRanGetTheMeanServiceTime(t *testing.T) {
	got, failed := read(file("record.csv", trace.Header+
		"10,,mail,,,,,,0,shed\n"+
		"11,2,mail,,,,,,1,success\n"+
		"12,4,mail,,,,,,1,success\n"+
		"13,9,other,,,,,,1,success\n"+
		"14,,new,,,,,,1,dropped\n", trace.CSV()))
	check.Equal(t, "error", failed, "")
	var services []time.Duration
	for _, j := range got {
		services = append(services, j.Service/time.Second)
	}
	check.Equal(t, "services", services, []time.Duration{3, 2, 4, 9, 5})

	_, failed = read(file("record.csv", trace.Header+"10,,mail,,,,,,0,shed\n", trace.CSV()))
	check.Equal(t, "error", failed,
		"trace: record.csv, line 2: the task never ran, nor did another one before it, so its service time is unknown")
}

func TestRecordingsInAWindow(t *testing.T) {
	content := trace.Header + "11,2,mail,,,,,,1,success\n" + "10,,mail,,,,,,0,shed\n" + "13,4,mail,,,,,,1,success\n"
	got, failed := read(file("record.csv", content, trace.CSV().Window(2*time.Second)))
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs", got, []simulate.Job{
		{Service: 3 * time.Second, Kind: "mail"}, {At: time.Second, Service: 2 * time.Second, Kind: "mail"},
		{At: 3 * time.Second, Service: 4 * time.Second, Kind: "mail"},
	})
	_, failed = read(file("record.csv", content, trace.CSV().Window(0)))
	check.Equal(t, "error", failed, "trace: record.csv, line 3: the job arrives at 10s, 1s before the one of line 2, at 11s: sort the file by arrival, or give a window of at least 1s")
}

func TestOnSkipTellsWhatTheRecorderDropped(t *testing.T) {
	content := string(trace.AppendDropped([]byte(trace.Header+"# began today\n1,1,,,,,,,0,success\n"), 3))
	var skipped []string
	_, failed := read(file("record.csv", content, trace.CSV().OnSkip(func(e *trace.Error) { skipped = append(skipped, e.Error()) })))
	check.Equal(t, "error", failed, "")
	check.Equal(t, "skipped", skipped, []string{"trace: record.csv, line 4: the recorder dropped 3 records"})
}

func TestColumnsComeInAnyOrder(t *testing.T) {
	got, failed := read(file("x.csv", "\xef\xbb\xbf# made by hand\r\n\r\nkey, Service ,AT,cost,deadline\r\n"+
		"\"a \"\"b\"\"\r\nc\" , 0.5 , 1e1,,\r\n  # a comment\r\n b ,.5,10.0000000005,7,1.\r\n", trace.CSV()))
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs", got, []simulate.Job{
		{At: 10 * time.Second, Service: 500 * time.Millisecond, Key: "a \"b\"\r\nc"},
		{At: 10*time.Second + 1, Service: 500 * time.Millisecond, Key: "b", Cost: 7, Deadline: time.Second},
	})
}

func TestMalformedCSV(t *testing.T) {
	long := strings.Repeat("x", trace.MaxLine+1)
	const known = "the columns of CSV are at, service, kind, key, priority, cost, deadline, fails, wait, outcome; to read others, map them with Columns"
	for content, want := range map[string]string{
		"":                              "trace: x.csv is empty",
		"\n\n":                          "trace: x.csv, line 2: there is no header, only comments or empty lines",
		"at,service\n":                  "trace: x.csv has no jobs",
		"at,service\n# none\n":          "trace: x.csv has no jobs",
		"at,kind\n":                     "trace: x.csv, line 1: the header has no column service; the first line must have the names of the columns",
		"at,service,at\n":               `trace: x.csv, line 1: the header has two columns "at"`,
		"at,service,\n":                 "trace: x.csv, line 1: column 3 of the header has no name",
		"at,service,colour\n1,1,1":      `trace: x.csv, line 1: the column "colour" is unknown; ` + known,
		"1,2\n2,3\n":                    `trace: x.csv, line 1: the column "1" is unknown; ` + known,
		"at,service\n1\n":               "trace: x.csv, line 2: the row has 1 field, but the header has 2 columns",
		"at,service\n1,2,3\n":           "trace: x.csv, line 2: the row has 3 fields, but the header has 2 columns",
		"at,service\n#\n1,x\n":          `trace: x.csv, line 3, column service: "x" is not a number of seconds`,
		"at,service\n1,\n":              "trace: x.csv, line 2, column service: it is empty; it must be a number of seconds",
		"at,service\n,1\n":              "trace: x.csv, line 2, column at: it is empty; it must be a number of seconds",
		"at,service\n-1,1\n":            `trace: x.csv, line 2, column at: "-1" is negative`,
		"at,service\n1,NaN\n":           `trace: x.csv, line 2, column service: "NaN" is not a finite number of seconds`,
		"at,service\n1,-inf\n":          `trace: x.csv, line 2, column service: "-inf" is not a finite number of seconds`,
		"at,service\n1,9999999999":      `trace: x.csv, line 2, column service: "9999999999" is longer than 292 years, the longest time`,
		"at,service\n1,1e999":           `trace: x.csv, line 2, column service: "1e999" is not a finite number of seconds`,
		"at,service\n1,1\n9223372036,1": "trace: x.csv, line 3: the job ends, or has its deadline, more than 292 years after the first one arrives",
		"at,service\n1732878000,1":      "trace: x.csv, line 2: the first job arrives 1732878000 seconds after the start of the workload; if times begin elsewhere, such as in 1970, read them with Columns (tasklab: -at at -service service)",
		"at,service,cost\n1,1,-1":       `trace: x.csv, line 2, column cost: "-1" is negative`,
		"at,service,cost\n1,1,1.5":      `trace: x.csv, line 2, column cost: "1.5" is not a whole number`,
		"at,service,fails\n1,1,-1":      `trace: x.csv, line 2, column fails: "-1" is negative`,
		"at,service,fails\n1,1,99999999999999999999":                      `trace: x.csv, line 2, column fails: "99999999999999999999" is too large`,
		"at,service,priority\n1,1,high":                                   `trace: x.csv, line 2, column priority: "high" is not a whole number`,
		"at,service,deadline\n1,1,-2":                                     `trace: x.csv, line 2, column deadline: "-2" is negative`,
		"at,service\n5,1\n\n3,1\n":                                        "trace: x.csv, line 4: the job arrives at 3s, 2s before the one of line 2, at 5s: sort the file by arrival, or give a window of at least 2s",
		"at,service,key\n1,1,\"a\n\n":                                     "trace: x.csv, line 2: the quotes of field 3 are not closed",
		"at,service,key\n1,1,\"a\"b\n":                                    "trace: x.csv, line 2: field 3 goes on after its closing quote: double the quotes in it",
		"at,service,key\n1,1,a\"b\n":                                      "trace: x.csv, line 2: field 3 has a quote inside: put the field in quotes, and double the quotes in it",
		"at,service,key\n1,1," + long:                                     "trace: x.csv, line 2: the line has more than 1048576 bytes: is this the right format?",
		"at,service,key\n1,1,\"" + strings.Repeat("x\n", trace.MaxLine/2): "trace: x.csv, line 2: the row has more than 1048576 bytes: is this the right format?",
		"at,service," + long[:1000] + "\n":                                "trace: x.csv, line 1: the column \"" + long[:61] + "…\" is unknown; " + known,
		"\x1f\x8bxx":                                                      "trace: x.csv cannot be decompressed: unexpected EOF",
		"BZh9":                                                            "trace: x.csv is compressed with bzip2: decompress it, or compress it with gzip instead",
		"\xff\xfea\x00":                                                   "trace: x.csv is in UTF-16: save it as UTF-8",
		"\x7fELF\x00\x00":                                                 "trace: x.csv is a binary file, not a text",
	} {
		_, failed := read(file("x.csv", content, trace.CSV()))
		check.Equal(t, "error of "+content[:min(len(content), 60)], failed, want)
	}
}
