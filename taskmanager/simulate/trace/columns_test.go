package trace_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// mapped returns the jobs of a table and the text of the error.
func mapped(content string, m trace.Mapping) ([]simulate.Job, string) {
	f, err := trace.Columns(m)
	if err != nil {
		return nil, err.Error()
	}
	return read(file("t.csv", content, f))
}

func TestColumns(t *testing.T) {
	got, failed := mapped(`,when,run time,Tenant,2nd,größe
0,2023-11-16 18:17:03.9799600,1000,"a, b",3,2.5
1,2023-11-16 18:17:04.0319601,500,,,0
`, trace.Mapping{
		At: " when", Service: "0.5+`run time`/1000 - 2*größe*0.1", Kind: "`2nd`", Key: "Tenant",
		Priority: "-`2nd`", Cost: "größe", Deadline: "`run time`", Fails: "`2nd`/2",
	})
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs", got, []simulate.Job{
		{Service: time.Second, Kind: "3", Key: "a, b", Priority: -3, Cost: 3, Deadline: 1000 * time.Second, Fails: 2},
		{At: 52*time.Millisecond + 100, Service: time.Second, Deadline: 500 * time.Second},
	})
}

func TestTimesOfColumns(t *testing.T) {
	for _, c := range []struct{ first, second, at string }{
		{"1700000000.000000001", "1700000001.5", "1.499999999s"},
		{"2024-02-29T23:59:59Z", "2024-03-01T02:00:00+02:00", "1s"},
		{"2024-02-29 23:59:59", "2024-03-01 00:00:00.25", "1.25s"},
		{"2024-02-29T23:59:59.123456789", "2024-02-29T23:59:59.123456790", "1ns"},
		{"2024-02-29 23:59:59+01:00", "2024-02-29 23:59:59Z", "1h0m0s"},
		{"2024-02-29 23:59:59Z", "2024-03-01 00:59:59.5+01:00", "500ms"},
		{"2024-02-29 23:59:59 +01:00", "2024-02-29 23:59:59 Z", "1h0m0s"},
		{"2024-02-29 23:59:59+01", "2024-02-29 23:59:59+00", "1h0m0s"},
		{"1969-12-31 23:59:59", "1970-01-01 00:00:01", "2s"},
	} {
		got, failed := mapped("t;s\n"+c.first+";1\n"+c.second+";1\n", trace.Mapping{At: "t", Service: "s", Comma: ';'})
		if failed != "" {
			t.Errorf("%s: %s", c.first, failed)
			continue
		}
		check.Equal(t, "arrivals from "+c.first, fmt.Sprint(got[0].At, got[1].At), "0s "+c.at)
	}
	got, failed := mapped("#t,s\n#1,1\n", trace.Mapping{At: "0", Service: "s", Key: "#t"})
	check.Equal(t, "error", failed, "")
	check.Equal(t, "jobs of a table without comments", got, []simulate.Job{{Service: time.Second, Key: "#1"}})
	got, failed = mapped("ms\ts\n1000\t1\n2500\t1\n", trace.Mapping{At: "0.001*ms", Service: "s", Comma: '\t'})
	check.Equal(t, "error", failed, "")
	check.Equal(t, "arrival", got[1].At, 1500*time.Millisecond)
}

func TestWrongMappings(t *testing.T) {
	for _, c := range []struct{ service, want string }{
		{"", "trace: the mapping has no expression for service"},
		{"a b", `trace: the expression for service, "a b", character 3: unexpected "b", want +, - or the end`},
		{"a+", `trace: the expression for service, "a+", character 3: the expression ends, want a number or a column`},
		{"größe*", `trace: the expression for service, "größe*", character 7: the expression ends, want a number or a column`},
		{"2*(a+1)", `trace: the expression for service, "2*(a+1)", character 3: unexpected "(", want a number or a column`},
		{"a*b", `trace: the expression for service, "a*b", character 2: the columns "a" and "b" cannot be multiplied; a term has at most one column`},
		{"2/a", `trace: the expression for service, "2/a", character 2: the divisor must be a number, not the column "a"`},
		{"a/0", `trace: the expression for service, "a/0", character 2: the divisor is 0`},
		{"2nd", `trace: the expression for service, "2nd", character 1: "2nd" is not a number; the name of a column that begins with a digit must be in backquotes`},
		{"1e999", `trace: the expression for service, "1e999", character 1: "1e999" is not a number; the name of a column that begins with a digit must be in backquotes`},
		{"1+`a", "trace: the expression for service, \"1+`a\", character 3: the backquote is not closed"},
		{"``", "trace: the expression for service, \"``\", character 1: there is no name between the backquotes"},
	} {
		_, err := trace.Columns(trace.Mapping{At: "t", Service: c.service})
		if err == nil {
			t.Errorf("%q: no error", c.service)
			continue
		}
		check.Equal(t, "error of "+c.service, err.Error(), c.want)
	}
	_, err := trace.Columns(trace.Mapping{At: "+", Service: "-"})
	check.Equal(t, "both errors", strings.Count(err.Error(), "\n"), 1)
	_, err = trace.Columns(trace.Mapping{At: "t", Service: "s", Comma: '"'})
	check.Equal(t, "error of the comma", err.Error(), `trace: columns cannot be separated by "\""`)
}

func TestMalformedColumns(t *testing.T) {
	for _, c := range []struct {
		content string
		mapping trace.Mapping
		want    string
	}{
		{"t,s\n", trace.Mapping{At: "T", Service: "s"}, `trace: t.csv, line 1: the column "T" for at is not in the header; the columns are "t", "s"`},
		{"t,s\n", trace.Mapping{At: "t", Service: "2*x"}, `trace: t.csv, line 1: the column "x" for service is not in the header; the columns are "t", "s"`},
		{"t,s\n", trace.Mapping{At: "t", Service: "s", Key: "k"}, `trace: t.csv, line 1: the column "k" for key is not in the header; the columns are "t", "s"`},
		{"t,s,s\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 1: the header has two columns "s"`},
		{strings.Repeat("c,", 40) + "\n", trace.Mapping{At: "t", Service: "1"}, `trace: t.csv, line 1: the column "t" for at is not in the header; the columns are ` + strings.Repeat(`"c", `, 30) + "and 11 more"},
		{strings.Repeat("c,", 29) + "c\n", trace.Mapping{At: "t", Service: "1"}, `trace: t.csv, line 1: the column "t" for at is not in the header; the columns are ` + strings.Repeat(`"c", `, 29) + `"c"`},
		{"t,s\n", trace.Mapping{At: "t", Service: "s"}, "trace: t.csv has no jobs"},
		{"t,s\n1,\n", trace.Mapping{At: "t", Service: "2*s"}, "trace: t.csv, line 2, column s: it is empty; it must be a number"},
		{"t,s\n,1\n", trace.Mapping{At: "t", Service: "s"}, "trace: t.csv, line 2, column t: it is empty; it must be a number of seconds"},
		{"t,s\n1,x\n", trace.Mapping{At: "t", Service: "2*s"}, `trace: t.csv, line 2, column s: "x" is not a number`},
		{"t,s\n1,NaN\n", trace.Mapping{At: "t", Service: "2*s"}, `trace: t.csv, line 2, column s: "NaN" is not a finite number`},
		{"t,s\n1,-3\n", trace.Mapping{At: "t", Service: "2*s+1"}, `trace: t.csv, line 2, column service: the value of 2*s+1: "-5" is negative`},
		{"t,s\n1,1e300\n", trace.Mapping{At: "t", Service: "2*s"}, `trace: t.csv, line 2, column service: the value of 2*s: "2e+300" is longer than 292 years, the longest time`},
		{"t,s\n1,-3\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 2, column s: "-3" is negative`},
		{"t,s\n1,-3\n", trace.Mapping{At: "t", Service: "1", Cost: "s"}, `trace: t.csv, line 2, column cost: the value of s, -3, is negative`},
		{"t,s\n1,1e19\n", trace.Mapping{At: "t", Service: "1", Fails: "s"}, `trace: t.csv, line 2, column fails: the value of s, 1e+19, is too large`},
		{"t,s\nyesterday,1\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 2, column t: "yesterday" is neither a number of seconds nor a timestamp such as 2006-01-02 15:04:05.999 or 2006-01-02T15:04:05Z`},
		{"t,s\n2024-01-01 00:00:00,1\n5,1\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 3, column t: "5" is not a timestamp as those before it, such as 2006-01-02 15:04:05`},
		{"t,s\n0001-01-01 00:00:00,1\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 2, column t: the year of "0001-01-01 00:00:00" is not from 1678 to 2261`},
		{"t,s\n1700-01-01 00:00:00,1\n2200-01-01 00:00:00,1\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 3: the job ends, or has its deadline, more than 292 years after the first one arrives`},
		{"t,s\n2024-01-01 00:00:05,1\n2024-01-01 00:00:00,1\n", trace.Mapping{At: "t", Service: "s"}, `trace: t.csv, line 3: the job arrives at 2024-01-01 00:00:00, 5s before the one of line 2, at 2024-01-01 00:00:05: sort the file by arrival, or give a window of at least 5s`},
	} {
		_, failed := mapped(c.content, c.mapping)
		check.Equal(t, "error of "+c.content, failed, c.want)
	}
}

func TestExpressionsHaveTheValueOfTheirTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(0, 1000).Draw(t, "x")
		text, want := "", 0.0
		for i := range rapid.IntRange(1, 4).Draw(t, "terms") {
			a := rapid.Float64Range(0.001, 1000).Draw(t, "a")
			term := rapid.SampledFrom([]struct {
				format string
				value  float64
			}{{"%g", a}, {" %g * x", a * x}, {"x*%g", a * x}, {"x / %g ", x / a}, {"x + 0*%g", x}}).Draw(t, "term")
			plus := i == 0 || rapid.Bool().Draw(t, "plus")
			text += map[bool]string{true: "+", false: " -"}[plus] + fmt.Sprintf(term.format, a)
			want += map[bool]float64{true: 1, false: -1}[plus] * term.value
		}
		got, failed := mapped(fmt.Sprintf("x\n%v\n", x), trace.Mapping{At: "0", Service: text})
		if want < -1e-6 {
			if !strings.HasSuffix(failed, "is negative") {
				t.Fatalf("%s = %v: the error is %q", text, want, failed)
			}
			return
		}
		if want > 0 && (failed != "" || math.Abs(got[0].Service.Seconds()-want) > 1e-6*(1+want)) {
			t.Fatalf("%s: got %v and error %q, want %v s", text, got, failed, want)
		}
	})
}
