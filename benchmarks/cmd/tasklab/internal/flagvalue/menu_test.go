package flagvalue_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// After an error, a choice is as before.
func TestChoiceAfterAnError(t *testing.T) {
	c := settings.Scalers.Choose()
	if err := c.Set("step+stabilise"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "fast", "stabilise", "+stabilise", "step+", "step+demand", "step+fast+stabilise"} {
		if c.Set(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	if c.String() != "step+stabilise" {
		t.Errorf("the choice is %s", c.String())
	}
}

func TestSelection(t *testing.T) {
	s := settings.Disciplines.Select("fifo")
	if err := errors.Join(s.Set("lifo, fair ,codel"), s.Set("codel,fifo")); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]string{
		"":               `"": choose one of fifo, lifo, priority, deadline, fair, codel, limitbykey; there may follow +limitbykey`,
		"fifo,":          `"": choose one of fifo`,
		"fifo,fast":      `"fast": choose one of fifo`,
		"fifo,lifo,fifo": `"fifo" is there twice`,
	} {
		if err := s.Set(list); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", list, err, want)
		}
	}
	if diff := cmp.Diff("codel,fifo", s.String()); diff != "" {
		t.Error("selection (-want +got):\n" + diff)
	}
}

func TestNamesAreCanonical(t *testing.T) {
	queue, scaler := settings.Disciplines.Choose(), settings.Scalers.Choose()
	for word, want := range map[string]string{
		"targetwait:0.1s":                  "targetwait:100ms",
		"targetwait:120s:99.50":            "targetwait:2m:99.5",
		"targetwait:3600s":                 "targetwait:1h",
		"step:1500ms+tolerance:05":         "step:1.5s+tolerance:5",
		"fixed:+8+ratelimit:1e1+tolerance": "",
		"demand:2+ratelimit:1e1+tolerance": "demand:2+ratelimit:10+tolerance",
	} {
		if err := scaler.Set(word); (err == nil) != (want != "") {
			t.Errorf("%s: %v", word, err)
		}
		if want != "" && scaler.Name != want {
			t.Errorf("%s is %s, want %s", word, scaler.Name, want)
		}
	}
	if err := queue.Set("fair:b=1:a=3+limitbykey:02"); err != nil || queue.Name != "fair:a=3:b=1+limitbykey:2" {
		t.Errorf("the name is %s, %v", queue.Name, err)
	}
}

// Each error names the word that is wrong and says what is allowed.
func TestParameterErrors(t *testing.T) {
	queue, scaler := settings.Disciplines.Choose(), settings.Scalers.Choose()
	for word, want := range map[string]string{
		"demand:0":             `demand: backlog is "0"; it must be a whole number from 1 to 1000000`,
		"demand:1.5":           `demand: backlog is "1.5"; it must be a whole number from`,
		"demand:":              `demand: backlog is ""; it must be a whole number from`,
		"targetwait:5":         `targetwait: wait is "5"; it must be a duration from 1µs to 24h`,
		"targetwait:-5s":       `targetwait: wait is "-5s"; it must be`,
		"targetwait:5s:100":    `targetwait: percent is "100"; it must be a percentage from 1 to 99.99`,
		"targetwait:5s:NaN":    `targetwait: percent is "NaN"; it must be`,
		"step:1s:2":            `step takes only :wait; leave out ":2"`,
		"demand+stabilise:0s":  `stabilise: time is "0s"; it must be`,
		"demand+ratelimit:Inf": `ratelimit: rate is "Inf"; it must be a number from 0.001 to 1000000`,
		"demand+fixed":         `"fixed": choose one of demand`,
	} {
		if err := scaler.Set(word); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
	for word, want := range map[string]string{
		"fifo:1":        `fifo takes no parameters; leave out ":1"`,
		"fair:a":        `fair: "a" is not a weight; write KEY=WEIGHT, with a weight from 1 to 1048576`,
		"fair:a=0":      `fair: "a=0" is not a weight`,
		"fair:a=1:a=2":  `fair: the key "a" is there twice`,
		"lifo+codel":    `"codel": choose one of fifo`,
		"priority:many": `priority: ageing is "many"; it must be a whole number from 0`,
	} {
		if err := queue.Set(word); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", word, err, want)
		}
	}
}

// A word that only spells out a default is there twice.
func TestSelectionOfTheSame(t *testing.T) {
	s := settings.Scalers.Select("demand")
	if err := s.Set("targetwait,targetwait:100ms"); err == nil || err.Error() != `"targetwait:100ms" is there twice` {
		t.Error(err)
	}
	if err := s.Set("targetwait,targetwait:100ms:96"); err != nil || s.String() != "targetwait,targetwait:100ms:96" {
		t.Error(s.String(), err)
	}
}

// Any value that a search tries is one that a user can write.
func TestTuning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Float64Range(1, 1000).Draw(t, "from")
		p := flagvalue.Parameter{
			Name: "p", Kind: rapid.SampledFrom([]flagvalue.Kind{flagvalue.Duration, flagvalue.Count, flagvalue.Percent, flagvalue.Number}).Draw(t, "kind"),
			Tune: flagvalue.Range{From: math.Round(from), To: math.Round(10 * from), Even: rapid.Bool().Draw(t, "even")},
		}
		p.Least, p.Most = p.Tune.From, p.Tune.To
		place := rapid.Float64Range(0, 1).Draw(t, "place")
		v := p.At(place)
		menu := flagvalue.Menu[float64]{Entries: []flagvalue.Entry[float64]{{
			Name: "e", Parameters: []flagvalue.Parameter{p}, Make: func(v flagvalue.Values) float64 { return v.Number(0) },
		}}}
		found, err := menu.Find("e:" + p.Format(v))
		if err != nil || found.Value != v || v < p.Tune.From || v > p.Tune.To || v > p.At(min(1, place+0.1)) {
			t.Fatalf("%v is %s, which is %v; %v", v, p.Format(v), found.Value, err)
		}
	})
}
