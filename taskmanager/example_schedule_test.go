package taskmanager_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// tick is a task that reports each run on a channel.
type tick struct{ ran chan int }

func (tick) Name() string { return "tick" }

func (t tick) Execute(ctx context.Context) error {
	select {
	case t.ran <- 1:
	case <-ctx.Done():
	}
	return nil
}

// Every runs a task at a fixed rate. If a run takes longer than the interval, the next
// run starts late; with OverlapQueue, no run is skipped.
func ExampleTaskManager_Every() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	ran := make(chan int)
	s, err := m.Every(ctx, time.Millisecond, tick{ran}, taskmanager.WithOverlap(taskmanager.OverlapQueue))
	if err != nil {
		log.Fatal(err)
	}
	runs := 0
	for runs < 3 {
		runs += <-ran
	}
	s.Stop()
	fmt.Println(runs, "runs,", s.Skipped(), "skipped")
	fmt.Println("no more:", s.Next().IsZero())
	fmt.Println(m.Stop(ctx))
	// Output:
	// 3 runs, 0 skipped
	// no more: true
	// <nil>
}

// workdays is a timetable: Monday to Friday, on the hour.
type workdays struct{ hour int }

func (w workdays) Next(after time.Time) time.Time {
	for day := 0; ; day++ {
		t := time.Date(after.Year(), after.Month(), after.Day()+day, w.hour, 0, 0, 0, after.Location())
		if t.After(after) && t.Weekday() != time.Saturday && t.Weekday() != time.Sunday {
			return t
		}
	}
}

// A timetable is a type with a method Next.
func ExampleTaskManager_Repeat() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	friday := time.Date(2027, time.January, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println(workdays{9}.Next(friday).Format(time.RFC1123))

	s, err := m.Repeat(ctx, workdays{9}, report{"daily", 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("due at", s.Next().Hour())
	fmt.Println(m.Stop(ctx)) // also ends the schedule
	// Output:
	// Mon, 04 Jan 2027 09:00:00 UTC
	// due at 9
	// <nil>
}
