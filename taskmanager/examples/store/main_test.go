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
		slices.Sort(got[2:12]) // tasks run at the same time
		want := []string{
			"insert bill/7: store: a task of that name is outstanding",
			"remove bill/8: true, <nil>",
			"manager a: execution 1 of bill/7 (7 euros)",
			"manager a: execution 1 of file/a ()",
			"manager a: execution 1 of film/1 (1500ms)",
			"manager a: execution 1 of film/1 ends early: taskmanager: the task was cancelled: context canceled: the lease of the task is lost",
			"manager a: execution 1 of mail/x (Hello)",
			"manager b: execution 2 of file/a ()",
			"manager b: execution 2 of film/1 (1500ms)",
			"manager b: execution 2 of mail/x (Hello)",
			"manager b: execution 3 of file/a ()",
			"manager b: execution 3 of mail/x (Hello)",
			"outstanding: fax/2",
			"dead: mail/x: taskmanager: the restart policy gave up after 3 failures in a row: bounced",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
}
