package trace_test

import (
	"fmt"
	"testing/fstest"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/trace"
)

func ExampleCSV() {
	files := fstest.MapFS{"jobs.csv": {Data: []byte("at,service,key\n0,0.25,a\n1.5,0.1,b\n")}}
	for job, err := range trace.OpenFS(files, "jobs.csv", trace.CSV()) { // or Open, for a file on disk
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("at", job.At, "a task of", job.Key, "that takes", job.Service)
	}
	// Output:
	// at 0s a task of a that takes 250ms
	// at 1.5s a task of b that takes 100ms
}

func ExampleRecord() {
	b := []byte(trace.Header)
	b = trace.Record{Wait: 2e6, Outcome: "success"}.Append(b)
	b = trace.Record{NeverRan: true, Outcome: "shed"}.Append(b)
	fmt.Print(string(b))
	// Output:
	// at,service,kind,key,priority,cost,deadline,fails,wait,outcome
	// 0,0,,,,,,,0.002,success
	// 0,,,,,,,,0,shed
}
