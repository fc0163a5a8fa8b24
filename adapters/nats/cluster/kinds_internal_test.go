package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/adapters/nats"
)

// A count that takes too long is given up, and not tried again for a while.
func TestKindsThatAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, calls, broken := time.Minute, 0, errors.New("no broker")
		var fails error
		k := &kindCounter{count: func(ctx context.Context) ([]nats.KindInfo, error) {
			calls++
			select {
			case <-time.After(takes):
				return []nats.KindInfo{{Kind: "k"}}, fails
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		look := func(wantOK bool, wantErr error, wantCalls int, wantTime time.Duration) {
			t.Helper()
			begin := time.Now()
			list, ok, err := k.kinds(t.Context())
			if ok != wantOK || !errors.Is(err, wantErr) || calls != wantCalls || time.Since(begin) != wantTime || ok != (len(list) == 1 && err == nil) {
				t.Errorf("%v, %t, %v after %d calls and %v", list, ok, err, calls, time.Since(begin))
			}
		}
		look(false, nil, 1, 2500*time.Millisecond)
		look(false, nil, 1, 0)
		time.Sleep(time.Minute)
		takes = time.Second
		look(true, nil, 2, time.Second)
		fails = broken
		look(false, broken, 3, time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok, err := k.kinds(ctx); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%t, %v when nobody waits", ok, err)
		}
		fails = nil
		look(true, nil, 5, time.Second)
	})
}

// Without a count, the kinds are those of the processes.
func TestKindsOfProcesses(t *testing.T) {
	got := uncounted([]nats.Process{{Kinds: []string{"b", "c"}}, {Kinds: []string{"a", "b"}}})
	want := []dashboard.ClusterKind{
		{Kind: "a", Waiting: -1, Running: -1, Dead: -1, Processes: 1, Consumer: true}, {Kind: "b", Waiting: -1, Running: -1, Dead: -1, Processes: 2, Consumer: true},
		{Kind: "c", Waiting: -1, Running: -1, Dead: -1, Processes: 1, Consumer: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
