package scheduler_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// answer is what a restart policy returns.
type answer struct {
	Delay time.Duration
	OK    bool
}

var givesUp = answer{}

func after(d time.Duration) answer { return answer{d, true} }

func next(p scheduler.RestartPolicy, f scheduler.Failure) answer {
	d, ok := p.Next(f)
	return answer{d, ok}
}

// seeded is a source of randomness that can be had again.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// row is what a policy answers to n failures in a row, each told of the delay
// before, as a manager would.
func row(p scheduler.RestartPolicy, seed uint64, n int) []answer {
	random := seeded(seed)
	var answers []answer
	for i := range n {
		f := scheduler.Failure{Attempt: i + 1, Starts: 1, Rand: random}
		if i > 0 {
			f.Previous = answers[i-1].Delay
		}
		answers = append(answers, next(p, f))
	}
	return answers
}

// policies are one of each kind, and some within others. Each call makes new ones.
func policies() map[string]scheduler.RestartPolicy {
	always := func(error) bool { return true }
	return map[string]scheduler.RestartPolicy{
		"Never":        scheduler.Never(),
		"Constant":     scheduler.Constant(time.Second),
		"Exponential":  scheduler.Exponential(time.Millisecond, time.Minute),
		"Decorrelated": scheduler.Decorrelated(time.Millisecond, time.Minute),
		"longest":      scheduler.Decorrelated(1, math.MaxInt64),
		"Default":      scheduler.DefaultRestart(),
		"RestartFunc": scheduler.RestartFunc(func(f scheduler.Failure) (time.Duration, bool) {
			return f.Previous - time.Second, f.Attempt%2 == 0
		}),
		"MaxAttempts": scheduler.MaxAttempts(9, scheduler.Exponential(1, math.MaxInt64)),
		"Intensity":   scheduler.Intensity(5, time.Minute, nil),
		"Budget":      scheduler.Budget(0.2, 10, nil),
		"When":        scheduler.When(always, nil),
		"all": scheduler.When(always, scheduler.MaxAttempts(8, scheduler.Intensity(9, time.Hour,
			scheduler.Budget(1, 1<<30, scheduler.Decorrelated(0, 0))))),

		"Constant, bad":     scheduler.Constant(math.MinInt64),
		"Exponential, bad":  scheduler.Exponential(math.MinInt64, math.MinInt64),
		"Decorrelated, bad": scheduler.Decorrelated(math.MinInt64, math.MinInt64),
		"RestartFunc, bad":  scheduler.RestartFunc(nil),
		"MaxAttempts, bad":  scheduler.MaxAttempts(math.MinInt, nil),
		"Intensity, bad":    scheduler.Intensity(math.MinInt, math.MinInt64, nil),
		"Budget, bad":       scheduler.Budget(math.NaN(), math.MaxInt, nil),
		"Budget, worse":     scheduler.Budget(math.Inf(-1), math.MinInt, nil),
		"When, bad":         scheduler.When(nil, nil),
	}
}

// failures are any that there could be, and some that there could not.
func failures() *rapid.Generator[scheduler.Failure] {
	number := rapid.OneOf(rapid.Int(), rapid.IntRange(-1, 80), rapid.SampledFrom([]int{1000, math.MaxInt, math.MinInt}))
	total := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, math.MaxUint64}))
	return rapid.Custom(func(t *rapid.T) scheduler.Failure {
		f := scheduler.Failure{
			Attempt:  number.Draw(t, "attempt"),
			Previous: time.Duration(number.Draw(t, "previous")),
			Recent:   number.Draw(t, "recent"),
			Starts:   total.Draw(t, "starts"),
			Restarts: total.Draw(t, "restarts"),
		}
		if rapid.Bool().Draw(t, "complete") {
			f.Err, f.Now = errors.New("failed"), time.Unix(int64(number.Draw(t, "now")), 0)
			f.Rand = seeded(rapid.Uint64().Draw(t, "seed"))
		}
		return f
	})
}

// TestRestartPoliciesAnswerAnyFailure: whatever the failure, and whatever they
// were made of, they neither panic nor return a negative delay.
func TestRestartPoliciesAnswerAnyFailure(t *testing.T) {
	for name, p := range policies() {
		t.Run(name, func(t *testing.T) {
			if got := next(p, scheduler.Failure{}); got.Delay < 0 {
				t.Errorf("the delay after the zero Failure is %v", got.Delay)
			}
			rapid.Check(t, func(t *rapid.T) {
				f := failures().Draw(t, "failure")
				got := next(p, f)
				if got.Delay < 0 || (!got.OK && got.Delay != 0) {
					t.Fatalf("Next returned %v, %v; want no negative delay, and none on giving up", got.Delay, got.OK)
				}
			})
		})
	}
}

// TestRestartPoliciesCanBeReplayed: with the same source of randomness the same
// delays come out.
func TestRestartPoliciesCanBeReplayed(t *testing.T) {
	again := policies()
	for name, p := range policies() {
		for seed := range uint64(5) {
			wantEqual(t, name, row(again[name], seed, 50), row(p, seed, 50))
		}
	}
	if a, b := row(scheduler.DefaultRestart(), 1, 50), row(scheduler.DefaultRestart(), 2, 50); a[49] == b[49] {
		t.Errorf("two sources of randomness gave the same delay, %v", a[49])
	}
}

func TestNeverGivesUp(t *testing.T) {
	for _, got := range row(scheduler.Never(), 0, 3) {
		wantEqual(t, "answer", got, givesUp)
	}
}

func TestConstantIsConstant(t *testing.T) {
	wantEqual(t, "answers", row(scheduler.Constant(time.Hour), 0, 3),
		[]answer{after(time.Hour), after(time.Hour), after(time.Hour)})
	wantEqual(t, "at once", next(scheduler.Constant(0), scheduler.Failure{Attempt: 1}), after(0))
	wantEqual(t, "negative", next(scheduler.Constant(-1), scheduler.Failure{Attempt: 1}), after(0))
}

func TestRestartFunc(t *testing.T) {
	var told scheduler.Failure
	p := scheduler.RestartFunc(func(f scheduler.Failure) (time.Duration, bool) {
		told = f
		return time.Duration(f.Attempt) * time.Second, f.Attempt < 3
	})
	f := scheduler.Failure{Attempt: 2, Recent: 7, Starts: 8, Restarts: 9}
	wantEqual(t, "answer", next(p, f), after(2*time.Second))
	wantEqual(t, "the failure that the function was told of", told, f)
	wantEqual(t, "third answer", next(p, scheduler.Failure{Attempt: 3}), givesUp)
	wantEqual(t, "answer to a negative attempt", next(p, scheduler.Failure{Attempt: -1}), after(0))
	wantEqual(t, "answer of a nil function", next(scheduler.RestartFunc(nil), f), givesUp)
}

// capable is a policy of somebody else's with every optional capability.
type capable struct {
	scheduler.RestartPolicy
	reset, window time.Duration
	fault         error
}

func (c capable) ResetAfter() time.Duration { return c.reset }
func (c capable) Window() time.Duration     { return c.window }
func (c capable) Validate() error           { return c.fault }

// plain has none.
type plain struct{ scheduler.RestartPolicy }

func resetAfter(p scheduler.RestartPolicy) time.Duration {
	if r, ok := p.(scheduler.Resetter); ok {
		return r.ResetAfter()
	}
	return 0
}

func window(p scheduler.RestartPolicy) time.Duration {
	if w, ok := p.(scheduler.Windower); ok {
		return w.Window()
	}
	return 0
}

func validate(p scheduler.RestartPolicy) error {
	if v, ok := p.(queue.Validator); ok {
		return v.Validate()
	}
	return nil
}

// wraps are the policies over an inner one, which none of them restrains at the
// first failure.
var wraps = map[string]func(inner scheduler.RestartPolicy) scheduler.RestartPolicy{
	"MaxAttempts": func(p scheduler.RestartPolicy) scheduler.RestartPolicy { return scheduler.MaxAttempts(90, p) },
	"Intensity": func(p scheduler.RestartPolicy) scheduler.RestartPolicy {
		return scheduler.Intensity(90, time.Minute, p)
	},
	"Budget": func(p scheduler.RestartPolicy) scheduler.RestartPolicy { return scheduler.Budget(0.1, 90, p) },
	"When": func(p scheduler.RestartPolicy) scheduler.RestartPolicy {
		return scheduler.When(func(error) bool { return true }, p)
	},
}

// TestRestartPoliciesForwardCapabilities: what a policy has of optional capabilities
// is not lost in another one.
func TestRestartPoliciesForwardCapabilities(t *testing.T) {
	broken := errors.New("mine: broken")
	rich := capable{scheduler.Constant(time.Second), time.Hour, time.Minute, broken}
	poor := plain{scheduler.Constant(time.Second)}
	for name, wrap := range wraps {
		t.Run(name, func(t *testing.T) {
			for again, wrap2 := range wraps {
				p := wrap2(wrap(rich))
				wantEqual(t, again+": ResetAfter", resetAfter(p), time.Hour)
				wantEqual(t, again+": Window", window(p), time.Minute)
				wantErr(t, again+": Validate", validate(p), broken)
				wantEqual(t, again+": Next", next(p, scheduler.Failure{Attempt: 1}), after(time.Second))
			}
			p := wrap(poor)
			own := time.Duration(0)
			if name == "Intensity" {
				own = time.Minute
			}
			wantEqual(t, "ResetAfter without a Resetter", resetAfter(p), 0)
			wantEqual(t, "Window without a Windower", window(p), own)
			wantErr(t, "Validate without a Validator", validate(p), nil)

			p = wrap(capable{RestartPolicy: scheduler.RestartFunc(
				func(scheduler.Failure) (time.Duration, bool) { return -1, true }), reset: -1, window: -1})
			wantEqual(t, "negative ResetAfter", resetAfter(p), 0)
			wantEqual(t, "negative Window", window(p), own)
			wantEqual(t, "negative delay", next(p, scheduler.Failure{}), after(0))

			wantEqual(t, "inner policy that gives up", next(wrap(scheduler.Never()), scheduler.Failure{}), givesUp)
		})
	}
}

// TestRestartPolicyOverNilIsOverTheDefault, as documented.
func TestRestartPolicyOverNilIsOverTheDefault(t *testing.T) {
	for name, wrap := range wraps {
		p := wrap(nil)
		wantErr(t, name+": Validate", validate(p), nil)
		wantEqual(t, name+": ResetAfter", resetAfter(p), scheduler.DefaultRestartCap)
		wantEqual(t, name+": answers", row(p, 1, 30), row(scheduler.DefaultRestart(), 1, 30))
	}
}

// TestRestartPoliciesReportBadArguments: each says which, and what to do.
func TestRestartPoliciesReportBadArguments(t *testing.T) {
	always := func(error) bool { return true }
	for _, tc := range []struct {
		name   string
		policy scheduler.RestartPolicy
		words  []string // in the error; none: it is in order
	}{
		{"Never", scheduler.Never(), nil},
		{"Constant", scheduler.Constant(0), nil},
		{"Constant below 0", scheduler.Constant(-time.Second), []string{"Constant: the delay is -1s"}},
		{"Exponential, which has defaults", scheduler.Exponential(-1, -1), nil},
		{"Decorrelated with defaults", scheduler.Decorrelated(0, 0), nil},
		{"Decorrelated without a range", scheduler.Decorrelated(time.Hour, time.Hour), nil},
		{"Decorrelated: base", scheduler.Decorrelated(-1, 0), []string{"Decorrelated: the base is -1ns"}},
		{"Decorrelated: limit", scheduler.Decorrelated(0, -1), []string{"Decorrelated: the limit is -1ns"}},
		{"Decorrelated: order", scheduler.Decorrelated(time.Hour, time.Second), []string{"limit, 1s, is below the base, 1h0m0s"}},
		{"RestartFunc", scheduler.RestartFunc(scheduler.Never().Next), nil},
		{"RestartFunc nil", scheduler.RestartFunc(nil), []string{"RestartFunc: the function is nil"}},
		{"MaxAttempts", scheduler.MaxAttempts(1, nil), nil},
		{"MaxAttempts 0", scheduler.MaxAttempts(0, nil), []string{"MaxAttempts: the number of attempts is 0"}},
		{"Intensity", scheduler.Intensity(1, 1, nil), nil},
		{"Intensity: both", scheduler.Intensity(0, 0, nil), []string{"restarts is 0", "window is 0s"}},
		{"Intensity: negative window", scheduler.Intensity(1, -time.Second, nil), []string{"window is -1s"}},
		{"Intensity twice", scheduler.Intensity(3, time.Second, scheduler.Intensity(9, time.Second, nil)), nil},
		{
			"Intensity twice, further in", scheduler.Intensity(3, time.Second,
				scheduler.MaxAttempts(1, scheduler.Intensity(9, time.Minute, nil))),
			[]string{"window is 1s, that of the inner policy 1m0s", "make them equal"},
		},
		{"Budget", scheduler.Budget(1, 1, nil), nil},
		{"Budget, small", scheduler.Budget(1e-300, 1<<30, nil), nil},
		{"Budget: both", scheduler.Budget(0, 0, nil), []string{"share is 0", "burst is 0"}},
		{"Budget: NaN", scheduler.Budget(math.NaN(), 1, nil), []string{"share is NaN"}},
		{"Budget: above 1", scheduler.Budget(1.5, 1, nil), []string{"share is 1.5"}},
		{"Budget: below 0", scheduler.Budget(-0.1, -1, nil), []string{"share is -0.1", "burst is -1"}},
		{"Budget: large burst", scheduler.Budget(0.1, 1<<30+1, nil), []string{"burst is 1073741825"}},
		{"When", scheduler.When(always, nil), nil},
		{"When nil", scheduler.When(nil, nil), []string{"When: the function restartable is nil"}},
		{
			"all", scheduler.When(nil, scheduler.MaxAttempts(0, scheduler.Intensity(0, 1,
				scheduler.Budget(2, 1, scheduler.Constant(-1))))),
			[]string{"When", "MaxAttempts", "Intensity", "Budget", "Constant"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) { wantReported(t, validate(tc.policy), tc.words) })
	}
}

// wantReported demands an error of this package that says all of the words, or
// none if there are none.
func wantReported(t *testing.T, err error, words []string) {
	t.Helper()
	if err == nil || words == nil {
		if err != nil || words != nil {
			t.Errorf("Validate returned %v, want an error that says %q", err, words)
		}
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "scheduler: ") {
			t.Errorf("the error %q does not begin with the package's name", line)
		}
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q; want it to say %q", err, w)
		}
	}
}
