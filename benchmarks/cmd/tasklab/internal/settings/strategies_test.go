package settings_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/flagvalue"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Managers must not share a scaler.
func TestScalersAreMadeAnew(t *testing.T) {
	for _, name := range []string{"step", "probe+stabilise", "targetwait+tolerance+ratelimit"} {
		c := settings.Scalers.Choose()
		if err := c.Set(name); err != nil {
			t.Fatal(err)
		}
		if c.Value() == c.Value() {
			t.Errorf("%s: two managers would share a scaler", c.Name)
		}
	}
}

// words returns a word for each entry of a menu, without parameters and with the
// ends of their ranges for tuning, and the same words with each variant.
func words[T any](m *flagvalue.Menu[T]) (all []string) {
	withParameters := func(name string, parameters []flagvalue.Parameter) []string {
		low, high := name, name
		for _, p := range parameters {
			low += ":" + p.Format(p.At(0))
			high += ":" + p.Format(p.At(1))
		}
		if low == high {
			return []string{name}
		}
		return []string{name, low, high}
	}
	for _, e := range m.Entries {
		all = append(all, withParameters(e.Name, e.Parameters)...)
		if e.Weighted {
			all = append(all, e.Name+":a=3:b=1")
		}
	}
	for _, v := range m.Variants {
		for i, word := range withParameters(v.Name, v.Parameters) {
			all = append(all, all[i]+"+"+word)
		}
	}
	return all
}

// A manager starts with every strategy, and with all values that a search tries.
func TestStrategiesAreValid(t *testing.T) {
	m := settings.Manager{Overflow: settings.Overflows.Choose()}
	queue, scaler, policy := settings.Disciplines.Choose(), settings.Scalers.Choose(), settings.Restarts.Choose()
	try := func(set func(word string) error, words []string) {
		for _, word := range words {
			if err := set(word); err != nil {
				t.Error(err)
				continue
			}
			if err := m.Try(queue.Value, scaler.Value(), policy.Value()); err != nil {
				t.Errorf("%s: %v", word, err)
			}
		}
	}
	try(queue.Set, words(&settings.Disciplines))
	try(scaler.Set, words(&settings.Scalers))
	try(policy.Set, words(&settings.Restarts))
}

// A default and the range for tuning are within the bounds, and every value that a
// search tries can be written.
func TestParametersAreConsistent(t *testing.T) {
	for _, p := range parameters() {
		if p.Absent == "" && (p.Default < p.Least || p.Default > p.Most) {
			t.Errorf("%s: the default is outside the bounds", p.Name)
		}
		if !p.Tunable() || p.Tune.From < p.Least || p.Tune.To > p.Most {
			t.Errorf("%s: the range for tuning is %+v", p.Name, p.Tune)
		}
		if p.At(0) != p.Tune.From || p.At(1) != p.Tune.To || p.At(0.5) <= p.Tune.From || p.At(0.5) >= p.Tune.To {
			t.Errorf("%s: values for tuning are %v, %v, %v", p.Name, p.At(0), p.At(0.5), p.At(1))
		}
	}
}

// parameters lists the parameters of all menus.
func parameters() (all []flagvalue.Parameter) {
	for _, e := range settings.Disciplines.Entries {
		all = append(all, e.Parameters...)
	}
	for _, e := range settings.Scalers.Entries {
		all = append(all, e.Parameters...)
	}
	for _, v := range settings.Scalers.Variants {
		all = append(all, v.Parameters...)
	}
	for _, e := range settings.Restarts.Entries {
		all = append(all, e.Parameters...)
	}
	return all
}
