package taskmanager_test

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"slices"
	"sync"

	"github.com/seed56799101/taskmanager/observe"
	"github.com/seed56799101/taskmanager/scheduler/scale"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// decisions is an observer of the decisions of a scaler. Calls may overlap.
type decisions struct {
	mu  sync.Mutex
	all []observe.Decision
}

func (d *decisions) ScalerDecided(made observe.Decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, made)
}

// An [observe.DecisionObserver] gets each decision that changes the number of workers that the manager should have. The
// numbers tell the order, and that none is missing.
func ExampleWithObserver_decisions() {
	d := new(decisions)
	m, err := taskmanager.Start(
		taskmanager.WithName("images"),
		taskmanager.WithWorkers(1, 2),
		taskmanager.WithScaler(scale.Fixed(0)), // as many workers as there may be
		taskmanager.WithObserver(d),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Resize(1, 4); err != nil {
		log.Fatal(err)
	}
	if err := m.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	slices.SortFunc(d.all, func(a, b observe.Decision) int { return cmp.Compare(a.Number, b.Number) })
	for _, made := range d.all {
		fmt.Printf("%s, decision %d: %d workers, %s\n", made.Manager, made.Number, made.Target, made.Reason)
	}
	// Output:
	// images, decision 1: 2 workers, fixed at the maximum
	// images, decision 2: 4 workers, fixed at the maximum
}
