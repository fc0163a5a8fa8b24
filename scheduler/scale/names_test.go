package scale_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// unnamed is a scaler without a String method, and broken one whose method panics.
type (
	unnamed struct{ scale.Scaler[scale.Snapshot] }
	broken  struct{ scale.Scaler[scale.Snapshot] }
)

func (broken) String() string { panic("no name") }

// TestScalersNameThemselves checks the String methods, also of a scaler that wraps one of a user.
func TestScalersNameThemselves(t *testing.T) {
	one := scale.Demand(1)
	for want, s := range map[string]scale.Scaler[scale.Snapshot]{
		"Fixed(max)":              scale.Fixed(0),
		"Fixed(3)":                scale.Fixed(3),
		"Demand(2)":               scale.Demand(2),
		"Step(500ms)":             scale.Step(0),
		"TargetWait(p95 ≤ 100ms)": scale.TargetWait(scale.TargetWaitConfig{}),
		"TargetWait(p99.9 ≤ 1s)":  scale.TargetWait(scale.TargetWaitConfig{Share: 0.999, Wait: time.Second}),
		"Utilisation(70%)":        scale.Utilisation(scale.UtilisationConfig{}),
		"Probe(2s)":               scale.Probe(2 * time.Second),
		"Stabilise(1m0s, Max(Tolerance(0.1, Demand(1)), RateLimit(5, Demand(1))))": scale.Stabilise(time.Minute,
			scale.Max(scale.Tolerance(0.1, one), scale.RateLimit(5, one))),
		"Tolerance(0.1, scale_test.unnamed)":                 scale.Tolerance(0.1, unnamed{one}),
		"Tolerance(0.1, %!v(PANIC=String method: no name))":  scale.Tolerance(0.1, broken{one}),
		"WithSignals(Demand(1))":                             scale.WithSignals(func(s scale.Snapshot) scale.Snapshot { return s }, one),
		"Tolerance(0.1, WithSignals(scale_test.scalerFunc))": scale.Tolerance(0.1, scale.WithSignals(func(s scale.Snapshot) scale.Snapshot { return s }, scale.Scaler[scale.Snapshot](scalerFunc(nil)))),
	} {
		check.Equal(t, "name", fmt.Sprint(s), want)
	}
}
