// Package record writes the workload of a manager to a trace: a CSV file with a row for the end of
// each task. Package taskmanager/simulate/trace reads it, and a replay answers what another policy
// would have done with the same tasks.
//
//	rec, err := record.New(record.Config{File: "trace.csv"})
//	m, err := taskmanager.Start(taskmanager.WithObserver(rec))
//	...
//	err = m.Drain(ctx)
//	err = rec.Close()
//
// # Rows
//
// Each accepted task adds one row when it ends, whether it has run or not. The rows are in the order
// of the ends, not of the arrivals.
//
//	at        arrival, in seconds since New, by the monotonic clock: when the submit began, so a wait
//	          for room in the queue is a part of the wait of the task
//	service   seconds for which an execution occupied its worker; empty for a task that never ran
//	kind      as in telemetry
//	key, priority, cost
//	          as the discipline gets them
//	deadline  seconds after at; empty for none
//	fails     number of executions that failed
//	wait      seconds from the arrival to the first execution or, if there was none, to the end
//	outcome   an [observe.Outcome]
//
// A replay runs a job until fails executions have failed and one more has not. The columns follow
// from that:
//
//   - Service has two parts. One is the duration of the execution. The other is the gap before it: the
//     time since the end of the previous execution of the same worker, as far as the task waited then.
//     In a gap the worker reports results, takes the next task, or waits for a processor. Without the
//     gaps, the workers of a replay would be faster than the real ones. A gap counts if it is at most
//     100 ms; a worker that executed nothing for longer was idle.
//   - Service is the mean of all executions, so that they take as long in total as they did. The time
//     of an execution that returned taskmanager.NotYet is added to the others, since a replay does
//     not repeat it. The time for which a task has lent its slot counts as execution.
//   - A task with a delay arrives when it becomes due, and one that waits behind another task of its
//     name arrives when it gets the name: it competes for workers from then on. If it ends before
//     that, its arrival is the submit. Each run of a schedule is a task of its own.
//   - A task of taskmanager.WithOrigin adds a row for each stay in this manager. Its arrival is the
//     time since when it was queued in the store, or 0 if that was before the recording began. An
//     execution after which it is handed over does not count as failed: the row of the next stay has
//     the next execution.
//   - A task that was replaced before it ran (see taskmanager.WithReplace) has a service time of 0
//     instead of none: the task that replaced it does its work.
//   - A deadline that had passed before the arrival is 1 ns after it, since 0 stands for none. A
//     deadline by which a task must have ended is recorded like one by which it should have started.
//
// A submit that returns an error is no task and adds no row. The metric
// taskmanager.task.submissions counts such submits. A task of a group that waits until the group has
// room is not submitted yet.
//
// # What a replay cannot know
//
//   - What the arrivals depend on. A program that waits for room in the queue, or for the end of a task,
//     before it submits the next one does so earlier if its tasks are faster. A replay submits at the
//     recorded times.
//   - That several workers were late at once. Where tasks take less time than it takes to get a processor, and
//     the program keeps all processors busy, workers that should take the tasks of a burst wait for a
//     processor together. Those of a replay do not, and its tasks wait less: with tasks of 20 µs and two
//     workers on two processors, the median wait is up to a fifth too short, and with four workers it has no
//     meaning. With one worker, or with tasks of some milliseconds, the difference is a few percent.
//   - Whether a worker executed nothing for up to 100 ms since there was no task that it could take,
//     although one waited: in a short pause, or for a task of taskmanager.WithOrigin that was still in its
//     store. Such a time counts as a gap.
//   - Which part of an execution was spent waiting for a processor.
//
// # Files
//
// The first file is Config.File. When it would exceed Config.MaxBytes, the recording continues in
// File.1, then File.2 and so on. Each file begins with a header row and can be read on its own. A file
// that exists is never changed: if there are files from an earlier recording, a new one begins with
// the number after the highest one. The line "# recording began" in each file tells recordings
// apart.
//
// Kinds and keys are converted to valid UTF-8 of at most 256 bytes, and control characters are
// escaped, so a row is one line.
//
// # What may be lost
//
// An event of a task never waits for the disk. Rows pass through a bounded buffer, from which one
// goroutine writes them, at the latest after a second. If the buffer is full, the row is dropped. If
// a write fails, the rows of that write are dropped, what the file has of them is removed, and the
// next rows go to the next file. A line "# dropped N" in the trace says that N rows are missing
// since the previous such line. [Recorder.Dropped] returns the total, and [Recorder.Err] why the last write failed.
//
// Tasks that are outstanding when the recorder is closed are not recorded; so stop the manager
// first.
//
// One recorder may observe several managers. A row does not say which one, so a trace of one manager
// is usually more useful. Give the managers different names (see taskmanager.WithName), since the
// recorder tells their workers apart by them.
package record
