package objective_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	. "github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/objective"
	"github.com/seed56799101/taskmanager/taskmanager/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// percentile returns a quantity of a distribution.
func percentile(measure string, p float64) Quantity {
	return Quantity{Measure: measure, Statistic: Statistic{Percentile: p}}
}

// of returns the quantity of a key.
func of(key string, q Quantity) Quantity {
	q.Key, q.Keyed = key, true
	return q
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Objective{
		"p99 wait <= 200ms":              {Quantity: percentile("wait", 99), Bound: 200e6},
		" P99.9  Sojourn<=1m30s ":        {Quantity: percentile("sojourn", 99.9), Bound: 90e9},
		"mean run >= 0":                  {Quantity: Quantity{Measure: "run", Statistic: Statistic{Mean: true}}, AtLeast: true},
		"max slowdown ≤ 2.5":             {Quantity: percentile("slowdown", 100), Bound: 2.5},
		"p100 slowdown ≥ 2":              {Quantity: percentile("slowdown", 100), Bound: 2, AtLeast: true},
		"p95 wait of tenant-a <= 1s":     {Quantity: of("tenant-a", percentile("wait", 95)), Bound: 1e9},
		"p95 wait of key tenant-a <= 1s": {Quantity: of("tenant-a", percentile("wait", 95)), Bound: 1e9},
		"p95 wait of key <= 1s":          {Quantity: of("key", percentile("wait", 95)), Bound: 1e9},
		"p95 wait of key key <= 1s":      {Quantity: of("key", percentile("wait", 95)), Bound: 1e9},
		`p95 wait of "a <= \"b\"" <= 1s`: {Quantity: of(`a <= "b"`, percentile("wait", 95)), Bound: 1e9},
		`late of "" <= 1 %`:              {Quantity: of("", Quantity{Measure: "late", Percent: true}), Bound: 1},
		"late <= 1%":                     {Quantity: Quantity{Measure: "late", Percent: true}, Bound: 1},
		"shed <= 12":                     {Quantity: Quantity{Measure: "shed"}, Bound: 12},
		"dropped of a<=0":                {Quantity: of("a", Quantity{Measure: "dropped"})},
		"failed >= 1":                    {Quantity: Quantity{Measure: "failed"}, AtLeast: true, Bound: 1},
		"jain >= 0.9":                    {Quantity: Quantity{Measure: "jain"}, AtLeast: true, Bound: 0.9},
		"worker-seconds <= 5e3":          {Quantity: Quantity{Measure: "worker-seconds"}, Bound: 5000},
		"worker seconds <= 1":            {Quantity: Quantity{Measure: "worker-seconds"}, Bound: 1},
		"peak workers <= 10":             {Quantity: Quantity{Measure: "peak workers"}, Bound: 10},
		"peak-workers <= 10":             {Quantity: Quantity{Measure: "peak workers"}, Bound: 10},
		"turns <= 10":                    {Quantity: Quantity{Measure: "turns"}, Bound: 10},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// The error names the word and what is expected there.
func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           `"" ends too early: expected mean, max, a percentile such as p99, shed, dropped, failed, late, jain, worker-seconds, peak workers or turns`,
		"p99 wat <= 1s":              `"p99 wat <= 1s", word 2: expected wait, sojourn, run or slowdown after p99, not "wat"`,
		"wait <= 1s":                 `word 1: expected mean, max or a percentile such as p99 before wait, not "wait"`,
		"latency <= 1s":              `word 1: expected mean, max, a percentile such as p99, shed, dropped`,
		"p101 wait <= 1s":            `word 1: expected a percentile above p0 and up to p100, such as p99 or p99.9, not "p101"`,
		"p0 wait <= 1s":              `word 1: expected a percentile above p0`,
		"p1e1 wait <= 1s":            `word 1: expected a percentile above p0`,
		"pNaN wait <= 1s":            `word 1: expected a percentile above p0`,
		"p99":                        `"p99" ends too early: expected wait, sojourn, run or slowdown after p99`,
		"p99 wait":                   `"p99 wait" ends too early: expected <= or >=`,
		"p99 wait < 1s":              `word 3: expected <= or >=, not "<"`,
		"p99 wait == 1s":             `word 3: expected <= or >=, not "=="`,
		"p99 wait below 1s":          `word 3: expected <= or >=, or of and a key, not "below"`,
		"p99 wait <=":                `ends too early: expected a duration with a unit, such as 200ms or 1.5s, of at most 100 days`,
		"p99 wait <= 200":            `word 4: expected a duration with a unit, such as 200ms or 1.5s, of at most 100 days, not "200"`,
		"p99 wait <= 9999h":          `of at most 100 days, not "9999h"`,
		"p99 wait <= 10%":            `word 4: expected a duration with a unit`,
		"p99 slowdown <= 2s":         `word 4: expected a number without a unit, not "2s"`,
		"jain >= 90%":                `word 3: expected a number without a unit, not "90%"`,
		"jain >= NaN":                `word 3: expected a number without a unit, not "NaN"`,
		"late <= few":                `word 3: expected a number of jobs, or a percentage such as 1%, not "few"`,
		"late <= 1 percent":          `word 4: expected the end, not "percent"`,
		"p99 wait of <= 1s":          `word 4: expected a key, not "<="`,
		"p99 wait of":                `ends too early: expected a key`,
		`p99 wait of "a <= 1s`:       `word 4: expected a key in quotes that end, not "\"a <= 1s"`,
		"jain of a >= 1":             `word 2: expected <= or >=, since jain is of all jobs together, not "of"`,
		"jain a >= 1":                `word 2: expected <= or >=, not "a"`,
		"peak <= 1":                  `word 1: expected mean, max, a percentile`,
		"p99 wait <= 1s and more":    `word 5: expected the end, not "and"`,
		"p99 wait of a b <= 1s":      `word 5: expected <= or >=, not "b"`,
		"p99 wait of a tenant <= 1s": `word 5: expected <= or >=, not "tenant"`,
	} {
		_, err := Parse(text)
		if syntax, ok := errors.AsType[*SyntaxError](err); !ok || !strings.Contains(syntax.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestNeverMet(t *testing.T) {
	for text, want := range map[string]string{
		"p99 wait <= -1s": `"p99 wait <= -1s" is never met: p99 wait is never below 0`,
		"late <= -1%":     `"late <= -1%" is never met: late is never below 0`,
		"late >= 101%":    `"late >= 101%" is never met: late is never above 100%`,
		"jain >= 1.5":     `"jain >= 1.5" is never met: jain is never above 1`,
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestParseQuantity(t *testing.T) {
	for text, want := range map[string]Quantity{
		"worker-seconds":       {Measure: "worker-seconds"},
		"peak-workers":         {Measure: "peak workers"},
		"p99 wait of a":        of("a", percentile("wait", 99)),
		"mean wait of key key": of("key", Quantity{Measure: "wait", Statistic: Statistic{Mean: true}}),
	} {
		got, err := ParseQuantity(text)
		if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]string{
		"cost":              `word 1: expected mean, max, a percentile`,
		"p99 wait please":   `word 3: expected the end, or of and a key, not "please"`,
		"p99 wait <= 200ms": `word 3: expected the end, not "<="`,
		"jain of a":         `word 2: expected the end, since jain is of all jobs together, not "of"`,
	} {
		if _, err := ParseQuantity(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// quantities draws quantities without a percent sign.
func quantities() *rapid.Generator[Quantity] {
	return rapid.Custom(func(t *rapid.T) (q Quantity) {
		q.Measure = rapid.SampledFrom([]string{"wait", "sojourn", "run", "slowdown", "shed", "dropped", "failed", "late",
			"jain", "worker-seconds", "peak workers", "turns"}).Draw(t, "measure")
		switch q.Measure {
		case "wait", "sojourn", "run", "slowdown":
			if q.Statistic.Mean = rapid.Bool().Draw(t, "mean"); !q.Statistic.Mean {
				q.Statistic.Percentile = rapid.Float64Range(1e-6, 100).Draw(t, "percentile")
			}
		case "jain", "worker-seconds", "peak workers", "turns":
			return q
		}
		if rapid.Bool().Draw(t, "keyed") {
			key := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"key", "Key", "of", "<=", "p99", "", "\xff", "a b"}))
			q = of(key.Draw(t, "key"), q)
		}
		return q
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := quantities().Draw(t, "quantity")
		parsed, err := ParseQuantity(q.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(q, parsed); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", q, diff)
		}
		o := Objective{Quantity: q, AtLeast: rapid.Bool().Draw(t, "at least")}
		switch {
		case q.Unit() == Duration:
			o.Bound = float64(rapid.Int64Range(0, int64(100*24*time.Hour)).Draw(t, "nanoseconds"))
		case q.Measure == "jain":
			o.Bound = rapid.Float64Range(0, 1).Draw(t, "jain")
		default:
			o.Bound = rapid.Float64Range(0, 100).Draw(t, "number")
			o.Quantity.Percent = q.Measure == "late" && rapid.Bool().Draw(t, "percent")
		}
		got, err := Parse(o.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", o, diff)
		}
	})
}

// Whatever the parser accepts, it prints in a form that it reads as the same objective.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"p99 wait <= 200ms", `late of "a \"b" >= 1 %`, "peak-workers<=1e300", "p99.9 run of key key ≤ 1h", "jain of", `"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := Parse(text)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Errorf("%q: an error without a text", text)
			}
			return
		}
		again, err := Parse(o.String())
		if err != nil {
			t.Fatalf("%q was read as %q: %v", text, o, err)
		}
		if diff := cmp.Diff(o, again); diff != "" {
			t.Errorf("%q was read as %q (-first +second):\n%s", text, o, diff)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct{ first, second, want string }{
		{"p99 wait <= 1s", "p99 wait <= 2s", `"p99 wait <= 1s" and "p99 wait <= 2s" bound the same quantity`},
		{"max wait <= 1s", "p100 wait <= 1s", `bound the same quantity`},
		{"late <= 1%", "late <= 2%", `bound the same quantity`},
		{"jain >= 0.9", "jain <= 0.8", `"jain <= 0.8" contradicts "jain >= 0.9": no setting can meet both`},
		{"p99 wait <= 1s", "p95 wait >= 2s", `contradicts`},
		{"max wait <= 1s", "mean wait >= 2s", `contradicts`},
		{"p99 wait <= 1s", "mean wait >= 2s", ``}, // a few very long waits
		{"p95 wait <= 1s", "p99 wait >= 2s", ``},
		{"p99 wait <= 1s", "p99 wait >= 1s", ``},
		{"p99 wait of a <= 1s", "p99 wait of b <= 1s", ``},
		{"p99 wait of a <= 1s", "p99 wait of b >= 2s", ``},
		{"p99 wait <= 1s", "p99 sojourn >= 2s", ``},
		{"late <= 10", "late >= 20%", ``},
	} {
		for _, texts := range [][]string{{tt.first, tt.second}, {tt.second, tt.first}} {
			var objectives []Objective
			for _, text := range texts {
				o, err := Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				objectives = append(objectives, o)
			}
			err := Check(objectives)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && err == nil:
				t.Errorf("%q are accepted", texts)
			case tt.want != "" && texts[0] == tt.first && !strings.Contains(err.Error(), tt.want):
				t.Errorf("%v, want %s", err, tt.want)
			}
		}
	}
}

// report has values of the kinds that need no distribution.
var report = simulate.Report{
	Total:       simulate.Group{Jobs: 200, Late: 30, Shed: 1},
	Keys:        []simulate.Group{{Name: "a", Jobs: 150, Late: 15}, {Name: "b", Jobs: 50, Late: 15}},
	WorkerTime:  90,
	PeakWorkers: 7,
	Turns:       3,
	Jain:        0.8,
}

func TestViolation(t *testing.T) {
	for text, want := range map[string]float64{
		"late <= 30":              0,
		"late <= 20":              0.5,
		"late <= 15%":             0,
		"late <= 10%":             0.5,
		"late of b <= 10%":        2,
		"late of a >= 20%":        0.5,
		"late of c <= 0":          0, // does not occur in this report
		"shed <= 0":               1,
		"worker-seconds <= 60":    0.5,
		"peak workers <= 7":       0,
		"turns <= 2":              0.5,
		"jain >= 0.8":             0,
		"jain >= 1":               0.2,
		"p99 wait <= 0s":          0,
		"p99 wait >= 1s":          1,
		"mean slowdown of a <= 1": 0,
	} {
		o, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Violation(report); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestLargestViolation(t *testing.T) {
	a, errA := Parse("late <= 20")
	b, errB := Parse("jain >= 1")
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if got := Violation([]Objective{b, a}, report); got != 0.5 {
		t.Errorf("%v, want 0.5", got)
	}
	if got := Violation(nil, report); got != 0 {
		t.Errorf("%v without objectives", got)
	}
}

func TestWithoutLosses(t *testing.T) {
	for text, want := range map[string][]string{
		"p99 wait <= 1s": {"shed <= 0", "dropped <= 0"},
		"shed <= 1%":     {"dropped <= 0"},
		"shed >= 1":      {"shed <= 0", "dropped <= 0"},
		"dropped <= 5":   {"shed <= 0"},
	} {
		o, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all, implied := WithoutLosses([]Objective{o})
		var got []string
		for _, o := range implied {
			got = append(got, o.String())
		}
		if diff := cmp.Diff(want, got); diff != "" || len(all) != 1+len(implied) || all[0] != o {
			t.Errorf("%s: %v (-want +got):\n%s", text, all, diff)
		}
	}
}

func TestFormat(t *testing.T) {
	wait, late, turns := percentile("wait", 99), Quantity{Measure: "late", Percent: true}, Quantity{Measure: "turns"}
	for _, tt := range []struct {
		q     Quantity
		value float64
		want  string
	}{
		{wait, 0, "0s"}, {wait, 123_456_789, "123ms"}, {wait, 12_345, "12.3µs"},
		{late, 0.123456, "0.123%"}, {late, 1, "1%"}, {late, 12.3456, "12.3%"},
		{turns, 3, "3"}, {turns, 0.8, "0.8"}, {turns, 123456.789, "123457"},
	} {
		if got := tt.q.Format(tt.value); got != tt.want {
			t.Errorf("%s of %v: %s, want %s", tt.q, tt.value, got, tt.want)
		}
	}
}

func TestStricter(t *testing.T) {
	for text, want := range map[string]string{
		"p99 wait <= 200ms":       "p99 wait <= 150ms",
		"late <= 8%":              "late <= 6%",
		"shed <= 0":               "shed <= 0",
		"jain >= 0.5":             "jain >= 0.625",
		"late >= 20%":             "late >= 40%",
		"worker-seconds >= 100":   "worker-seconds >= 125",
		"worker-seconds <= 100":   "worker-seconds <= 75",
		"mean wait of a >= 100ms": "mean wait of a >= 125ms",
	} {
		o, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Stricter(0.25).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
