package main

import (
	"bytes"
	"log"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnotherManagerContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), log.New(&out, "", 0)); err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		slices.Sort(got[1:11]) // tasks run at the same time
		want := []string{
			"insert bill: store: a task of that name is outstanding",
			"manager a: execution 1 of bill",
			"manager a: execution 1 of file",
			"manager a: execution 1 of film",
			"manager a: execution 1 of film ends early: taskmanager: the task was cancelled: context canceled: the lease of the task is lost",
			"manager a: execution 1 of mail",
			"manager b: execution 2 of file",
			"manager b: execution 2 of film",
			"manager b: execution 2 of mail",
			"manager b: execution 3 of file",
			"manager b: execution 3 of mail",
			"outstanding: 0",
			"dead: mail: taskmanager: the restart policy gave up after 3 failures in a row: bounced",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
}
