package settings

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Managers must not share a scaler.
func TestScalersAreMadeAnew(t *testing.T) {
	for _, name := range []string{"step", "probe+stabilise", "targetwait+tolerance+ratelimit"} {
		c := Scalers.Choose()
		if err := c.Set(name); err != nil {
			t.Fatal(err)
		}
		if c.Value() == c.Value() {
			t.Errorf("%s: two managers would share a scaler", c.Name)
		}
	}
}

// A manager starts with every strategy.
func TestStrategiesAreValid(t *testing.T) {
	start := func(name string, option taskmanager.Option) {
		m, err := taskmanager.Start(option)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, s := range Scalers.Entries {
		start(s.Name, taskmanager.WithScaler(s.Value()))
		for _, v := range Scalers.Variants {
			start(s.Name+"+"+v.Name, taskmanager.WithScaler(v.Value(s.Value)()))
		}
	}
	for _, r := range Restarts.Entries {
		start(r.Name, taskmanager.WithRestart(r.Value()))
	}
	for _, d := range Disciplines.Entries {
		start(d.Name, taskmanager.WithQueue(d.Value))
	}
}
