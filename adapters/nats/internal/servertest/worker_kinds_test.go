package servertest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

// TestManyKinds runs tasks of all levels of many kinds, of which most are empty at any time. With one worker of the
// manager, no task of a level may run before all of the higher levels have.
func TestManyKinds(t *testing.T) {
	for _, workers := range []int{1, 16} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			c := client(t)
			var want []string
			for i := range 20 {
				for _, level := range []nats.Priority{nats.Low, nats.High, nats.Normal} {
					name := fmt.Sprint(level, " ", i)
					submit(t, c, name, nats.WithKind(fmt.Sprint("kind", i)), nats.WithPriority(level))
					want = append(want, name)
				}
			}
			var ran ledger
			w := newWorker(t, c, workers)
			for i := range 20 {
				handle(t, w, fmt.Sprint("kind", i), func(_ context.Context, name string) error {
					ran.add(name)
					return nil
				})
			}
			w.run(t)
			got := ran.waitFor(t, len(want))
			if workers == 1 {
				levels := make([]string, len(got))
				for i, name := range got {
					levels[i], _, _ = strings.Cut(name, " ")
				}
				order := slices.Compact(levels)
				if diff := cmp.Diff([]string{"high", "normal", "low"}, order); diff != "" {
					t.Errorf("order of levels (-want +got):\n%s", diff)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("tasks that ran (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWorkerKindsDoNotShareConsumers runs kinds whose names look like those of levels.
func TestWorkerKindsDoNotShareConsumers(t *testing.T) {
	c := client(t)
	w := newWorker(t, c, 4)
	var got ledger
	for _, kind := range []string{"stock", "low_stock", "high_stock", "normal_low_stock"} {
		var opts []nats.HandleOption
		if kind == "low_stock" {
			opts = append(opts, nats.WithKindLimit(1))
		}
		handle(t, w, kind, func(_ context.Context, in string) error { got.add(in + " in " + kind); return nil }, opts...)
	}
	w.run(t)
	var want []string
	for _, kind := range []string{"high_stock", "low_stock", "normal_low_stock", "stock"} {
		for _, level := range []nats.Priority{nats.High, nats.Low} {
			name := fmt.Sprintf("%s/%v", kind, level)
			if _, err := nats.Submit(soon(t), c, name, kind, nats.WithKind(kind), nats.WithPriority(level)); err != nil {
				t.Fatal(err)
			}
			want = append(want, kind+" in "+kind)
		}
	}
	if diff := cmp.Diff(want, sorted(got.waitFor(t, len(want)))); diff != "" {
		t.Errorf("executions (-want +got):\n%s", diff)
	}
}
