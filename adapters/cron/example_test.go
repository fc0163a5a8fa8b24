package cron_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed56799101/taskmanager/adapters/cron"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// report is a task.
type report struct{}

func (report) Name() string                  { return "report" }
func (report) Execute(context.Context) error { return nil }

// A task that runs on the first day of each month.
func ExampleSchedule() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	s, err := cron.Schedule(ctx, m, "CRON_TZ=Europe/Berlin 30 6 1 * *", report{})
	if err != nil {
		log.Fatal(err)
	}
	next := s.Next().UTC()
	fmt.Println("day", next.Day(), "minute", next.Minute())
	_, err = cron.Schedule(ctx, m, "30 6 1 *", report{})
	fmt.Println(err)
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// day 1 minute 30
	// cron: "30 6 1 *" has 4 fields; write five, for minute, hour, day of month, month and day of week, or six with the second before them
}

// A schedule that shows its expression and its next runs, and has an end date.
func ExampleSchedule_upcoming() {
	m, err := taskmanager.Start()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	end := time.Date(2127, time.December, 31, 23, 59, 59, 0, time.UTC)
	_, err = cron.Schedule(ctx, m, "TZ=UTC 0 6 1 jan *", report{}, taskmanager.WithUntil(end))
	if err != nil {
		log.Fatal(err)
	}
	for s := range m.Schedules() {
		fmt.Printf("%s runs at %q\n", s.Name(), s)
		for _, at := range s.Upcoming(3) {
			fmt.Println(at.UTC().Format("2 January 15:04"))
		}
	}
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// report runs at "TZ=UTC 0 6 1 jan *"
	// 1 January 06:00
	// 1 January 06:00
	// 1 January 06:00
}

// The times of an expression.
func ExampleParse() {
	times, err := cron.Parse("0 9-17/4 * * mon-fri")
	if err != nil {
		log.Fatal(err)
	}
	next := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC) // a Friday
	for range 4 {
		next = times.Next(next)
		fmt.Println(next.Format("Mon 15:04"))
	}
	// Output:
	// Fri 13:00
	// Fri 17:00
	// Mon 09:00
	// Mon 13:00
}
