package observe

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// TestActivityIsCountedOnce however many pools are observed, as long as there is one, and is
// bounded in kinds without losing a task.
func TestActivityIsCountedOnce(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	o, err := New(WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		t.Fatal(err)
	}
	counts := func() (kinds int, sum, others int64) {
		t.Helper()
		var data metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &data); err != nil {
			t.Fatal(err)
		}
		for _, s := range data.ScopeMetrics {
			for _, m := range s.Metrics {
				if m.Name != active {
					continue
				}
				for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
					kinds, sum = kinds+1, sum+p.Value
					if p.Attributes.HasValue("otel.metric.overflow") {
						others += p.Value
					}
				}
			}
		}
		return kinds, sum, others
	}
	check := func(when string, want ...int64) {
		t.Helper()
		kinds, sum, others := counts()
		if diff := cmp.Diff(want, []int64{int64(kinds), sum, others}); diff != "" {
			t.Errorf("%s: kinds, tasks, and those of other kinds (-want +got):\n%s", when, diff)
		}
	}
	pool := Pool{State: func() PoolState { return PoolState{Limit: -1} }}
	first, second := o.ObservePool(pool), o.ObservePool(pool)
	run := Run{Task: Task{Manager: "m", Kind: "sort"}}
	o.BeginRun(t.Context(), run)
	o.BeginRun(t.Context(), run)
	check("two tasks", 1, 2, 0)
	first()
	o.EndRun(t.Context(), run, Result{Outcome: Success})
	check("a pool less", 1, 1, 0)
	full := maps.Clone(o.activity.counts.look()) // at once, as one after the other takes long
	for i := len(full); i < cached; i++ {
		of := series{kind: fmt.Sprint(i)}
		full[of] = &activity{with: metric.WithAttributeSet(of.set())}
	}
	o.activity.counts.made.Store(&full)
	for range 3 {
		o.activity.of(Task{Manager: "m", Kind: "one too many"}).Add(1)
	}
	check("too many kinds", cached+1, 4, 3)
	second()
	check("no pool", 0, 0, 0)
	third := o.ObservePool(pool)
	check("a pool again", cached+1, 4, 3)
	third()
}
