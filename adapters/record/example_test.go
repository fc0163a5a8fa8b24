package record_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed56799101/taskmanager/adapters/record"
	"github.com/seed56799101/taskmanager/taskmanager"
	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

// Record what a manager does, and read it back as a workload for package simulate.
func Example() {
	file := filepath.Join(os.TempDir(), fmt.Sprintf("trace-%d.csv", os.Getpid()))
	rec, err := record.New(record.Config{File: file})
	if err != nil {
		log.Fatal(err)
	}
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1), taskmanager.WithObserver(rec))
	if err != nil {
		log.Fatal(err)
	}
	for _, customer := range []string{"acme", "globex"} {
		if _, err := m.SubmitFunc(context.Background(), "invoice/"+customer, render, taskmanager.WithKey(customer)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(m.Drain(context.Background()), rec.Close(), rec.Dropped())

	for job, err := range trace.Open(file, trace.CSV()) {
		fmt.Println(job.Key, job.Cost, err)
	}
	fmt.Println(os.Remove(file))
	// Output:
	// <nil> <nil> 0
	// acme 1 <nil>
	// globex 1 <nil>
	// <nil>
}

// render does the work of the tasks.
func render(context.Context) error { return nil }
