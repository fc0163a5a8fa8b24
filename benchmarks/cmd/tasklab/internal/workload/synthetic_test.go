package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// workloads returns a workload of each shape.
func workloads(seed uint64) map[string]*Synthetic {
	all := make(map[string]*Synthetic)
	for _, s := range Shapes.Defaults() {
		all[s.Name] = Draw(s.Value, 100, 50*time.Millisecond, 20*time.Second, seed, Sleep)
	}
	return all
}

func TestSyntheticWorkloadsAreReproducible(t *testing.T) {
	again, others := workloads(1), workloads(2)
	for name, w := range workloads(1) {
		if diff := cmp.Diff(w.Arrivals, again[name].Arrivals); diff != "" {
			t.Errorf("%s: not the same with the same seed:\n%s", name, diff)
		}
		if cmp.Equal(w.Arrivals, others[name].Arrivals) {
			t.Errorf("%s: the same with another seed", name)
		}
	}
}

func TestShapes(t *testing.T) {
	count := func(w *Synthetic, from, to time.Duration) (n int) {
		for _, a := range w.Arrivals {
			if from <= a.At && a.At < to {
				n++
			}
		}
		return n
	}
	const s = time.Second
	all := workloads(1)
	for _, tt := range []struct {
		shape    string
		from, to time.Duration
		want     int
		within   int // four standard deviations, for random shapes
	}{
		{"steady", 0, 20 * s, 2000, 0},
		{"steady", 7 * s, 8 * s, 100, 0},
		{"steady", 7 * s, 7*s + s/10, 10, 0},
		{"step", 0, 4 * s, 40, 0},
		{"step", 4 * s, 12 * s, 800, 0},
		{"step", 12 * s, 20 * s, 80, 0},
		{"burst", 0, 20 * s, 2000, 0},
		{"burst", 3 * s, 3*s + 1, 100, 0},
		{"burst", 3*s + 1, 4 * s, 0, 0},
		{"poisson", 0, 20 * s, 2000, 4 * 45},
		{"poisson", 5 * s, 10 * s, 500, 4 * 22},
	} {
		if n := count(all[tt.shape], tt.from, tt.to); n < tt.want-tt.within || n > tt.want+tt.within {
			t.Errorf("%s: %d tasks from %v to %v, want %d ± %d", tt.shape, n, tt.from, tt.to, tt.want, tt.within)
		}
	}
}

func TestArrivals(t *testing.T) {
	for name, w := range workloads(1) {
		var before, service time.Duration
		keys, levels := make(map[string]int), make(map[int]int)
		for _, a := range w.Arrivals {
			if a.At < before || a.At >= 20*time.Second || a.Service < 0 || a.Patience < 50*time.Millisecond || a.Patience > 500*time.Millisecond {
				t.Fatalf("%s: %+v after one at %v", name, a, before)
			}
			before = a.At
			service += a.Service
			keys[a.Key]++
			levels[a.Priority]++
		}
		n := len(w.Arrivals)
		mean := service / time.Duration(n)
		if mean < 44*time.Millisecond || mean > 56*time.Millisecond { // 900 tasks at least: four standard deviations
			t.Errorf("%s: a task takes %v on average, want about 50ms", name, mean)
		}
		if len(keys) != 4 || len(levels) != 4 || keys["a"] < n*2/5 || keys["a"] > n*3/5 {
			t.Errorf("%s: keys %v, levels %v", name, keys, levels)
		}
	}
}

func TestOfferedLoad(t *testing.T) {
	const ms = time.Millisecond
	w := &Synthetic{Duration: 2 * time.Second, Arrivals: []Arrival{
		{At: 0, Service: 50 * ms}, {At: 100 * ms, Service: 100 * ms}, {At: 199 * ms, Service: 200 * ms}, {At: 1999 * ms, Service: 10 * ms},
	}}
	got := w.Offered()
	if len(got) != 21 || got[20] != (Point{2 * time.Second, 0}) {
		t.Fatalf("%v", got)
	}
	for i, want := range map[int]float64{0: 0.5, 1: 3, 2: 0, 19: 0.1} {
		if got[i] != (Point{time.Duration(i) * 100 * ms, want}) {
			t.Errorf("%v, want %v workers", got[i], want)
		}
	}
}

// Arrivals can be drawn at any rate, however small.
func TestTinyRate(t *testing.T) {
	for _, s := range Shapes.Defaults() {
		if n := len(s.Value(1e-300, time.Hour, rand.New(rand.NewPCG(1, 0)))); n > 3 {
			t.Errorf("%s: %d tasks", s.Name, n)
		}
	}
}

func TestComputation(t *testing.T) {
	work := NewComputation()
	if err := work(t.Context(), time.Microsecond); err != nil {
		t.Error(err)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := work(ctx, time.Hour); !errors.Is(err, stop) {
		t.Errorf("err = %v", err)
	}
}
