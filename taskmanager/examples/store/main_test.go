package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnotherManagerContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), log.New(&out, "", 0)); err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		slices.Sort(got[:7]) // tasks run at the same time
		want := []string{
			"manager a: execution 1 of bill",
			"manager a: execution 1 of file",
			"manager a: execution 1 of mail",
			"manager b: execution 2 of file",
			"manager b: execution 2 of mail",
			"manager b: execution 3 of file",
			"manager b: execution 3 of mail",
			"bill ended with <nil>",
			"file ended with <nil>",
			"mail ended with taskmanager: the restart policy gave up after 3 failures in a row: bounced",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
}

// TestManagersPullNoMoreThanTheyCanRun stores ten tasks of a second for two managers with two workers
// each, and stops one of them half-way.
func TestManagersPullNoMoreThanTheyCanRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{waiting: make(map[string]restart.State), over: make(map[string]error)}
		for name := range strings.SplitSeq("abcdefghij", "") {
			st.waiting[name] = restart.State{}
		}
		second := func(ctx context.Context, _ string) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		}
		var managers [2]*taskmanager.TaskManager
		var pulls sync.WaitGroup
		for i := range managers {
			m, err := taskmanager.Start(taskmanager.WithWorkers(0, 2))
			if err != nil {
				t.Fatal(err)
			}
			managers[i] = m
			pulls.Go(func() {
				if err := st.pull(t.Context(), m, second); !errors.Is(err, taskmanager.ErrStopped) {
					t.Errorf("pull returned %v", err)
				}
			})
		}
		check := func(waiting, over int) {
			t.Helper()
			synctest.Wait()
			st.mu.Lock()
			defer st.mu.Unlock()
			if len(st.waiting) != waiting || len(st.over) != over {
				t.Errorf("%d tasks wait and %d have ended, want %d and %d", len(st.waiting), len(st.over), waiting, over)
			}
		}
		time.Sleep(500 * time.Millisecond)
		check(6, 0)
		if err := managers[0].Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		check(8, 0)
		time.Sleep(5 * time.Second)
		check(0, 10)
		if err := managers[1].Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		pulls.Wait()
	})
}
