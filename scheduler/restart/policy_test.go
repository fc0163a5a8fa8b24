package restart_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// answer is the result of Next.
type answer struct {
	Delay time.Duration
	OK    bool
}

var givesUp = answer{}

func after(d time.Duration) answer { return answer{d, true} }

func next(p restart.Policy, f restart.Failure) answer {
	d, ok := p.Next(f)
	return answer{d, ok}
}

// seeded returns a reproducible source of randomness.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// row returns the answers of a policy to n failures in a row. Each failure has the delay
// of the previous answer, as in a manager.
func row(p restart.Policy, seed uint64, n int) []answer {
	random := seeded(seed)
	var answers []answer
	for i := range n {
		f := restart.Failure{Attempt: i + 1, Starts: 1, Rand: random}
		if i > 0 {
			f.Previous = answers[i-1].Delay
		}
		answers = append(answers, next(p, f))
	}
	return answers
}

// policies returns new policies: each kind, some nested, and some with invalid arguments.
func policies() map[string]restart.Policy {
	always := func(error) bool { return true }
	return map[string]restart.Policy{
		"Never":        restart.Never(),
		"Constant":     restart.Constant(time.Second),
		"Exponential":  restart.Exponential(time.Millisecond, time.Minute),
		"Decorrelated": restart.Decorrelated(time.Millisecond, time.Minute),
		"longest":      restart.Decorrelated(1, math.MaxInt64),
		"Default":      restart.Default(),
		"Func": restart.Func(func(f restart.Failure) (time.Duration, bool) {
			return f.Previous - time.Second, f.Attempt%2 == 0
		}),
		"MaxAttempts": restart.MaxAttempts(9, restart.Exponential(1, math.MaxInt64)),
		"Intensity":   restart.Intensity(5, time.Minute, nil),
		"Budget":      restart.Budget(0.2, 10, nil),
		"When":        restart.When(always, nil),
		"all": restart.When(always, restart.MaxAttempts(8, restart.Intensity(9, time.Hour,
			restart.Budget(1, 1<<30, restart.Decorrelated(0, 0))))),

		"Constant, bad":     restart.Constant(math.MinInt64),
		"Exponential, bad":  restart.Exponential(math.MinInt64, math.MinInt64),
		"Decorrelated, bad": restart.Decorrelated(math.MinInt64, math.MinInt64),
		"Func, bad":         restart.Func(nil),
		"MaxAttempts, bad":  restart.MaxAttempts(math.MinInt, nil),
		"Intensity, bad":    restart.Intensity(math.MinInt, math.MinInt64, nil),
		"Budget, bad":       restart.Budget(math.NaN(), math.MaxInt, nil),
		"Budget, worse":     restart.Budget(math.Inf(-1), math.MinInt, nil),
		"When, bad":         restart.When(nil, nil),
	}
}

// failures generates possible failures and impossible ones.
func failures() *rapid.Generator[restart.Failure] {
	number := rapid.OneOf(rapid.Int(), rapid.IntRange(-1, 80), rapid.SampledFrom([]int{1000, math.MaxInt, math.MinInt}))
	total := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, math.MaxUint64}))
	return rapid.Custom(func(t *rapid.T) restart.Failure {
		f := restart.Failure{
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

// TestRestartPoliciesAnswerAnyFailure checks that no failure and no arguments make a
// policy panic or return a negative delay.
func TestRestartPoliciesAnswerAnyFailure(t *testing.T) {
	for name, p := range policies() {
		t.Run(name, func(t *testing.T) {
			if got := next(p, restart.Failure{}); got.Delay < 0 {
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

// TestRestartPoliciesCanBeReplayed checks that the same source of randomness gives the
// same delays.
func TestRestartPoliciesCanBeReplayed(t *testing.T) {
	again := policies()
	for name, p := range policies() {
		for seed := range uint64(5) {
			check.Equal(t, name, row(again[name], seed, 50), row(p, seed, 50))
		}
	}
	if a, b := row(restart.Default(), 1, 50), row(restart.Default(), 2, 50); a[49] == b[49] {
		t.Errorf("two sources of randomness gave the same delay, %v", a[49])
	}
}

func TestNeverGivesUp(t *testing.T) {
	for _, got := range row(restart.Never(), 0, 3) {
		check.Equal(t, "answer", got, givesUp)
	}
}

func TestConstantIsConstant(t *testing.T) {
	check.Equal(t, "answers", row(restart.Constant(time.Hour), 0, 3),
		[]answer{after(time.Hour), after(time.Hour), after(time.Hour)})
	check.Equal(t, "at once", next(restart.Constant(0), restart.Failure{Attempt: 1}), after(0))
	check.Equal(t, "negative", next(restart.Constant(-1), restart.Failure{Attempt: 1}), after(0))
}

func TestFunc(t *testing.T) {
	var told restart.Failure
	p := restart.Func(func(f restart.Failure) (time.Duration, bool) {
		told = f
		return time.Duration(f.Attempt) * time.Second, f.Attempt < 3
	})
	f := restart.Failure{Attempt: 2, Recent: 7, Starts: 8, Restarts: 9}
	check.Equal(t, "answer", next(p, f), after(2*time.Second))
	check.Equal(t, "the failure that the function got", told, f)
	check.Equal(t, "third answer", next(p, restart.Failure{Attempt: 3}), givesUp)
	check.Equal(t, "answer to a negative attempt", next(p, restart.Failure{Attempt: -1}), after(0))
	check.Equal(t, "answer of a nil function", next(restart.Func(nil), f), givesUp)
}

// capable is a user's policy with every optional method.
type capable struct {
	restart.Policy
	reset, window time.Duration
	fault         error
}

func (c capable) ResetAfter() time.Duration { return c.reset }
func (c capable) Window() time.Duration     { return c.window }
func (c capable) Validate() error           { return c.fault }

// plain hides the optional methods of a policy.
type plain struct{ restart.Policy }

func resetAfter(p restart.Policy) time.Duration {
	if r, ok := p.(restart.Resetter); ok {
		return r.ResetAfter()
	}
	return 0
}

func window(p restart.Policy) time.Duration {
	if w, ok := p.(restart.Windower); ok {
		return w.Window()
	}
	return 0
}

func validate(p restart.Policy) error {
	if v, ok := p.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// wraps has each decorator, with arguments that do not refuse a first failure.
var wraps = map[string]func(inner restart.Policy) restart.Policy{
	"MaxAttempts": func(p restart.Policy) restart.Policy { return restart.MaxAttempts(90, p) },
	"Intensity": func(p restart.Policy) restart.Policy {
		return restart.Intensity(90, time.Minute, p)
	},
	"Budget": func(p restart.Policy) restart.Policy { return restart.Budget(0.1, 90, p) },
	"When": func(p restart.Policy) restart.Policy {
		return restart.When(func(error) bool { return true }, p)
	},
}

// TestRestartPoliciesForwardCapabilities checks that decorators forward the optional
// methods of the inner policy.
func TestRestartPoliciesForwardCapabilities(t *testing.T) {
	broken := errors.New("mine: broken")
	rich := capable{restart.Constant(time.Second), time.Hour, time.Minute, broken}
	poor := plain{restart.Constant(time.Second)}
	for name, wrap := range wraps {
		t.Run(name, func(t *testing.T) {
			for again, wrap2 := range wraps {
				p := wrap2(wrap(rich))
				check.Equal(t, again+": ResetAfter", resetAfter(p), time.Hour)
				check.Equal(t, again+": Window", window(p), time.Minute)
				check.Is(t, again+": Validate", validate(p), broken)
				check.Equal(t, again+": Next", next(p, restart.Failure{Attempt: 1}), after(time.Second))
			}
			p := wrap(poor)
			own := time.Duration(0)
			if name == "Intensity" {
				own = time.Minute
			}
			check.Equal(t, "ResetAfter without a Resetter", resetAfter(p), 0)
			check.Equal(t, "Window without a Windower", window(p), own)
			check.Is(t, "Validate without a Validator", validate(p), nil)

			p = wrap(capable{Policy: restart.Func(
				func(restart.Failure) (time.Duration, bool) { return -1, true }), reset: -1, window: -1})
			check.Equal(t, "negative ResetAfter", resetAfter(p), 0)
			check.Equal(t, "negative Window", window(p), own)
			check.Equal(t, "negative delay", next(p, restart.Failure{}), after(0))

			check.Equal(t, "inner policy that gives up", next(wrap(restart.Never()), restart.Failure{}), givesUp)
		})
	}
}

// TestPolicyOverNilIsOverTheDefault checks that a nil inner policy means Default.
func TestPolicyOverNilIsOverTheDefault(t *testing.T) {
	for name, wrap := range wraps {
		p := wrap(nil)
		check.Is(t, name+": Validate", validate(p), nil)
		check.Equal(t, name+": ResetAfter", resetAfter(p), restart.DefaultCap)
		check.Equal(t, name+": answers", row(p, 1, 30), row(restart.Default(), 1, 30))
	}
}

// TestRestartPoliciesReportBadArguments checks that the error names the argument and its
// value.
func TestRestartPoliciesReportBadArguments(t *testing.T) {
	always := func(error) bool { return true }
	for _, tc := range []struct {
		name   string
		policy restart.Policy
		words  []string // expected in the error; nil if the arguments are valid
	}{
		{"Never", restart.Never(), nil},
		{"Constant", restart.Constant(0), nil},
		{"Constant below 0", restart.Constant(-time.Second), []string{"Constant: the delay is -1s"}},
		{"Exponential, which has defaults", restart.Exponential(-1, -1), nil},
		{"Decorrelated with defaults", restart.Decorrelated(0, 0), nil},
		{"Decorrelated without a range", restart.Decorrelated(time.Hour, time.Hour), nil},
		{"Decorrelated: base", restart.Decorrelated(-1, 0), []string{"Decorrelated: the base is -1ns"}},
		{"Decorrelated: limit", restart.Decorrelated(0, -1), []string{"Decorrelated: the limit is -1ns"}},
		{"Decorrelated: order", restart.Decorrelated(time.Hour, time.Second), []string{"limit, 1s, is below the base, 1h0m0s"}},
		{"Func", restart.Func(restart.Never().Next), nil},
		{"Func nil", restart.Func(nil), []string{"Func: the function is nil"}},
		{"MaxAttempts", restart.MaxAttempts(1, nil), nil},
		{"MaxAttempts 0", restart.MaxAttempts(0, nil), []string{"MaxAttempts: the number of attempts is 0"}},
		{"Intensity", restart.Intensity(1, 1, nil), nil},
		{"Intensity: both", restart.Intensity(0, 0, nil), []string{"restarts is 0", "window is 0s"}},
		{"Intensity: negative window", restart.Intensity(1, -time.Second, nil), []string{"window is -1s"}},
		{"Intensity twice", restart.Intensity(3, time.Second, restart.Intensity(9, time.Second, nil)), nil},
		{
			"Intensity twice, further in", restart.Intensity(3, time.Second,
				restart.MaxAttempts(1, restart.Intensity(9, time.Minute, nil))),
			[]string{"window is 1s, that of the inner policy 1m0s", "make them equal"},
		},
		{"Budget", restart.Budget(1, 1, nil), nil},
		{"Budget, small", restart.Budget(1e-300, 1<<30, nil), nil},
		{"Budget: both", restart.Budget(0, 0, nil), []string{"share is 0", "burst is 0"}},
		{"Budget: NaN", restart.Budget(math.NaN(), 1, nil), []string{"share is NaN"}},
		{"Budget: above 1", restart.Budget(1.5, 1, nil), []string{"share is 1.5"}},
		{"Budget: below 0", restart.Budget(-0.1, -1, nil), []string{"share is -0.1", "burst is -1"}},
		{"Budget: large burst", restart.Budget(0.1, 1<<30+1, nil), []string{"burst is 1073741825"}},
		{"When", restart.When(always, nil), nil},
		{"When nil", restart.When(nil, nil), []string{"When: the function restartable is nil"}},
		{
			"all", restart.When(nil, restart.MaxAttempts(0, restart.Intensity(0, 1,
				restart.Budget(2, 1, restart.Constant(-1))))),
			[]string{"When", "MaxAttempts", "Intensity", "Budget", "Constant"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) { wantReported(t, validate(tc.policy), tc.words) })
	}
}

// wantReported checks that err is an error of this package that contains all words, or nil
// if words is nil.
func wantReported(t *testing.T, err error, words []string) {
	t.Helper()
	if err == nil || words == nil {
		if err != nil || words != nil {
			t.Errorf("Validate returned %v, want an error that says %q", err, words)
		}
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "restart: ") {
			t.Errorf("the error %q does not begin with the package's name", line)
		}
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %q; want it to say %q", err, w)
		}
	}
}
