// Package simulate replays a workload on a real task manager in virtual time, to show what a
// scheduling policy does to it.
//
// A [Workload] is a stream of jobs: when each arrives, how long it runs, and its key, kind, priority,
// cost and deadline. Package simulate/trace reads workloads from files, among them the recordings of
// adapters/record and the spans of package observe, and package simulate/load generates them. [Run]
// submits the jobs at their times to a manager that a function of yours starts, and returns a [Report]:
//
//	report, err := simulate.Run(ctx, workload, func(with ...taskmanager.Option) (*taskmanager.TaskManager, error) {
//		return taskmanager.Start(append(with,
//			taskmanager.WithWorkers(1, 50),
//			taskmanager.WithScaler(scale.TargetWait(scale.TargetWaitConfig{})),
//		)...)
//	})
//
// In a test, [Test] does the same (TestFloodDelaysOnlyItself in example_test.go is one of ten lines), so a policy can have a regression test: the p99 wait stays below 200 ms
// on last week's traffic. The program tasklab of this repository compares policies and tunes their options
// from the command line.
//
// # What is simulated
//
// Nothing is modelled. The manager, its queue, its scaler and its restart policy are those of a program.
// They run in a bubble of [testing/synctest], in which time advances to the next event as soon as all
// goroutines wait. So every feature of the manager works in a replay, and a replay takes some microseconds
// a job, however long the workload lasts. Only the work is replaced: an execution waits for the service time of its
// job. With [WithCores], executions share a number of cores as computing tasks do.
//
// The loop is open: a job arrives when the workload says so, whatever happened to those before. A submit
// that must wait for room, or that runs its job, does so beside later arrivals.
//
// A job whose Fails is n fails in its first n executions. The restart policy of the manager decides whether
// and when it runs again.
//
// # Precision
//
// With the same workload, options and [WithSeed], the reports are equal to the byte, on any number of
// processors. For that, every event has an instant of its own. Arrivals and ends of executions happen at
// multiples of four nanoseconds: at their time, or at the next such instant that is free. What the manager does by
// itself, such as a restart or the end of an idle timeout, happens at an instant between. So a time in a report may
// be some nanoseconds longer than expected, and an execution takes at least a nanosecond. Timers that functions of
// yours set, such as those of a middleware, may tie with others; then reports may differ.
//
// Sums and means are exact. Percentiles are exact for up to 4096 values, and within 0.1 % for more. The
// replays agree with the formulas of queueing theory: see the tests, and DESIGN.md for the figures.
//
// # Limits
//
// What a replay cannot show is the cost of dispatch itself, which takes no virtual time, contention for anything
// other than cores, and feedback: users who stop sending when they wait. A function of yours that the manager
// calls, such as a middleware, runs in the bubble, and must not wait for goroutines outside of it.
//
// Memory does not depend on the number of jobs, but on that of outstanding ones, and on the numbers of keys
// and kinds: about 100 kB for each pair of a key and a kind with many jobs.
//
// # Errors
//
// A malformed workload ends the replay, and so does one that stalls (see [ErrStalled]). [Run] then returns
// the error with the report so far. When its context ends, the report is partial, and there is no error.
package simulate
