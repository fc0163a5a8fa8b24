package taskmanager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// TestExampleScheduleInVirtualTime shows how to test a schedule. In a bubble of
// testing/synctest a week passes at once.
func TestExampleScheduleInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := taskmanager.Start()
		if err != nil {
			t.Fatal(err)
		}
		var days []time.Weekday
		_, err = m.Repeat(t.Context(), workdays{9}, &task{name: "daily", execute: func(context.Context) error {
			days = append(days, time.Now().Weekday())
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * 24 * time.Hour) // the time in a bubble starts on a Saturday at midnight
		synctest.Wait()
		want := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
		if diff := cmp.Diff(want, days); diff != "" {
			t.Errorf("days (-want +got):\n%s", diff)
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
