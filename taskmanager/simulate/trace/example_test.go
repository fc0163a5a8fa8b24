package trace_test

import (
	"fmt"
	"testing/fstest"
	"time"

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

func ExampleColumns() {
	files := fstest.MapFS{"llm.csv": {Data: []byte("TIMESTAMP,Input,Output\n" +
		"2023-11-16 18:17:03.97,1000,10\n2023-11-16 18:17:04.03,200,40\n")}}
	format, err := trace.Columns(trace.Mapping{At: "TIMESTAMP", Service: "0.0002*Input + 0.02*Output"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for job, err := range trace.OpenFS(files, "llm.csv", format) {
		fmt.Println(job.At, job.Service, err)
	}
	// Output:
	// 0s 400ms <nil>
	// 60ms 840ms <nil>
}

// The jobs of a cluster, from the Parallel Workloads Archive.
func ExampleSWF() {
	const log = "; Computer: a cluster\n" +
		"1 100 -1 1451 128 -1 -1 -1 -1 -1 1 1 1 7 1 -1 -1 -1\n" +
		"2 160 10   -1  64 -1 -1 -1 -1 -1 5 1 1 7 1 -1 -1 -1\n"
	format := trace.SWF().OnSkip(func(e *trace.Error) { fmt.Println("skipped:", e) })
	for job, err := range trace.OpenFS(fstest.MapFS{"c.swf": {Data: []byte(log)}}, "c.swf", format) {
		fmt.Println(job.At, job.Service, job.Kind, job.Key, err)
	}
	// Output:
	// 0s 24m11s app7 user1 <nil>
	// skipped: trace: c.swf, line 3: the run time is unknown
}

// A file in the order of submits, in which the clock was set back by a second.
func ExampleFormat_Window() {
	files := fstest.MapFS{"jobs.csv": {Data: []byte("at,service\n0,1\n7,1\n6,1\n8,1\n")}}
	for job, err := range trace.OpenFS(files, "jobs.csv", trace.CSV().Window(time.Second)) {
		fmt.Println(job.At, err)
	}
	for _, err := range trace.OpenFS(files, "jobs.csv", trace.CSV()) {
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 0s <nil>
	// 6s <nil>
	// 7s <nil>
	// 8s <nil>
	// trace: jobs.csv, line 4: the job arrives at 6s, 1s before the one of line 3, at 7s: sort the file by arrival, or give a window of at least 1s
}

func ExampleDetectFS() {
	files := fstest.MapFS{"jobs": {Data: []byte("at,service\n0,0.25\n")}}
	format, err := trace.DetectFS(files, "jobs") // or Detect, for a file on disk
	if err != nil {
		fmt.Println(err)
		return
	}
	for job, err := range trace.OpenFS(files, "jobs", format) {
		fmt.Println(job.At, job.Service, err)
	}
	// Output: 0s 250ms <nil>
}
