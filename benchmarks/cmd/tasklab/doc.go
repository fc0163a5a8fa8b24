// Tasklab tries the task manager on real files and synthetic workloads.
//
//	tasklab run -dir DIR [flags]
//	tasklab compare [flags]
//
// The command run makes a named task of every regular file below DIR. The task reads
// the file, computes its SHA-256 and counts its lines. The command ends with a table
// of what was read and how long tasks waited and ran. For example
//
//	tasklab run -dir "$(go env GOROOT)/src" -max 16 -list files.txt
//
// A file that cannot be read is tried up to -retries more times, at the times that
// -restart selects, and then reported with its path and error. A directory that cannot
// be read is reported too. Other entries, such as symbolic links and sockets, are only
// counted.
//
// The command compare runs one workload, synthetic or of files, under several settings
// of the manager, one after the other. It ends with a table of the results, and a
// chart; see below.
//
// With -record, the run is recorded as a trace: a CSV file with a row for each file that was found,
// with its arrival, its execution time, the attributes by which disciplines order, its wait and its
// outcome. The key is the top-level folder, and the cost is the size. A trace that exists is not
// overwritten. See package adapters/record for the columns.
//
// Results go to the standard output, with -json as one JSON object. Progress goes to
// the standard error: a bar on a terminal, otherwise a line every two seconds. An
// interrupt ends a command in good order, with the table of what was done; a second
// interrupt ends it at once.
//
// These commands list the flags:
//
//	tasklab run -h
//	tasklab compare -h
//
// The exit status is 0 on success; 1 if something could not be read or written or,
// with run, if a file was shed or dropped; 2 if the arguments are wrong; and 130 after
// an interrupt.
//
// # The queue
//
// At most -limit files wait for a worker at the same time. The discipline that -queue
// names selects the next file to be read. It uses what the walk found out before the
// file is read; an unknown size counts as 0.
//
//	fifo      the order in which the files were found
//	lifo      the reverse
//	priority  smaller files first. A file is one level lower for each doubling of
//	          its size. At most 100 files that were found later pass it for each
//	          level between them
//	deadline  the earliest deadline first. The deadline is 100 ms after the file was
//	          found, and 1 ms later for each KiB
//	fair      the top-level folders in turn, with equal shares of the bytes. The
//	          files beside the folders count as one more folder. The mean size of
//	          the waiting files is the length of a turn
//	codel     as fifo, but under overload, files that have waited too long are shed:
//	          they end without being read
//
// The word limitbykey:2 stands for fifo with at most two files of a folder being read
// at once, and fair+limitbykey:2 for fair with that limit.
//
// A discipline can choose only among waiting files. The walk visits one folder after
// the other, so with the default -limit most waiting files are in the same folder. The
// disciplines differ when all files may wait:
//
//	tasklab run -dir "$(go env GOROOT)/src" -limit 20000 -max 2 -queue fair
//
// For codel, overload means that for 100 ms every file that a worker took had waited
// more than 5 ms, and too long means 10 ms. Each file waits for up to -limit others.
// If reading that many takes longer than 5 ms, for instance from a slow disk, a large
// part of the files is shed. With a -limit of a few files per worker the waits stay
// short.
//
// The overflow policy that -overflow names decides what happens when the walk finds a
// file and the queue is full: block (the walk waits), drop-newest (the new file ends
// without being read), drop-oldest (the file that has waited longest does), drop-worst
// (the file that the discipline ranks last does) or caller-runs (the walk reads the
// file itself, beside the workers).
//
// # Parameters
//
// A name for -queue, -scaler or -restart may be followed by parameters, each after a
// colon: targetwait:200ms:99 is targetwait with another time and another percentage.
// The last ones may be left out, and then have the values that this page mentions. The
// help lists the parameters of each name. Instead of parameters, fair takes the weights
// of keys, as in fair:src=3:test=1; other keys have the weight 1.
//
// # The workers
//
// There are from -min to -max workers. The scaler that -scaler names sets the number:
//
//	demand       one for each file that is being read or waits
//	fixed        always -max
//	step         raised half-way to -max whenever a file has waited for 500 ms
//	targetwait   large enough that 95% of the files start within 100 ms
//	utilisation  such that each worker is busy for 70% of the time, averaged over 6 s
//	probe        raised or lowered by one every second, in the direction that raises
//	             the throughput
//
// A name after a + modifies the target of the scaler, as in demand+stabilise:10s:
//
//	stabilise    the highest target of the last 5 s
//	tolerance    without changes of 10% or less
//	ratelimit    with at most 10 new workers a second
//
// # Retries
//
// A file that could not be read is tried up to -retries more times. The policy that
// -restart names decides when, and whether at all. The last two policies use the delays
// of exponential, but give up sooner.
//
//	exponential   at once, then after random delays of up to 10 ms, 20 ms and so on
//	              to 10 s
//	constant      after 100 ms each time
//	decorrelated  after a random delay of 10 ms or more, up to three times the
//	              previous delay
//	never         not at all
//	intensity     each file at most once in 5 s
//	budget        over all files at most 10 times, plus once for each 10 files started
//
// # Telemetry
//
// If OTEL_EXPORTER_OTLP_ENDPOINT or the variable of one signal is set, the command run
// exports to an OpenTelemetry backend: a span for each attempt and for each wait for a
// retry, metrics, and the manager's log.
//
//	OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 tasklab run -dir .
//
// The other standard variables apply too, such as OTEL_SERVICE_NAME (default tasklab),
// OTEL_TRACES_SAMPLER, and OTEL_TRACES_EXPORTER for another exporter. A signal is not
// exported if no variable says where to. If the export fails, the run reports that at
// its end; its exit status is not affected.
//
// # Comparing
//
// The command compare tries each discipline in the list -queue with each scaler in the
// list -scaler. Each combination gets its own manager and the same tasks. With -dir
// the tasks are the files below it, in the order of the walk; each is submitted as soon
// as the previous submit returns. Otherwise the tasks are synthetic, drawn from the
// seed -seed. For -duration, -rate tasks arrive each second. Their shape is -shape:
//
//	step     evenly: at -rate/10 for a fifth of the time, at -rate for two fifths,
//	         and at -rate/10 again
//	steady   evenly, at -rate
//	poisson  at random, at -rate on average: a Poisson process
//	burst    all tasks of a second at once, when the second begins
//
// A task takes -service on average, exponentially distributed. It waits for that time,
// as for a remote call; with -cpu, it computes what a processor computes alone in that
// time. Half of the tasks have the key a, a quarter b, and an eighth each c and d. The
// levels of priority are 0 to 3. A deadline is 1 to 10 times -service after the
// arrival. (Files have the attributes that they have with run, but are tried only once.
// All files are read once in advance, so that every setting finds them in memory.)
//
// For example, the defaults with a longer duration,
//
//	tasklab compare -duration 30s -chart compare.svg
//
// drew benchmarks/compare.svg of this repository. It shows a load that rises from 20
// tasks a second to 200, which keep 20 workers busy, and falls again. The grey
// backdrop is the offered load: how many workers would be busy if no task waited.
//
// Arrivals should not depend on the manager, but a submit that waits for room in the
// queue delays the next ones, and so does a busy machine. The wait of a task that is
// submitted late still starts when the task was due, and the table has the largest lag.
//
// # JSON of run
//
// All fields are always present. Each file is counted in exactly one of five fields:
// files_found is the sum of files_read, files_failed, shed, dropped and
// files_unfinished. A file is done when it was read or its last attempt failed.
//
//	dir                the directory, as given
//	interrupted        whether an interrupt cut the run short
//	queue              the discipline, the most files that may wait, and the overflow
//	limit              policy, as given
//	overflow
//	scaler             the scaler, as given
//	restart            the restart policy, and how often a file may be tried again,
//	retries            as given
//	files_found        regular files that the walk found
//	files_read         files that were read to their end
//	files_failed       files whose last attempt failed, not counting attempts that
//	                   were interrupted
//	shed               files that the discipline shed before the first attempt
//	dropped            files that the overflow policy dropped before the first attempt
//	files_unfinished   files that an interrupt left undone
//	late               files done that started after their deadline. The deadline is
//	                   that of the discipline deadline. Other disciplines do not ask
//	                   for it, so there it depends on the size at the first opening
//	bytes              bytes of the files that were read
//	skipped            entries that are neither regular files nor directories
//	lines              newlines in the files that were read
//	digest             SHA-256 of the list of the files that were read, in the form
//	                   and order described below; hexadecimal, like all digests
//	elapsed_s          seconds from the start of the manager to the end of the last task
//	files_per_s        files_read / elapsed_s
//	bytes_per_s        bytes / elapsed_s
//	queue_wait_p50_ms  milliseconds from the submit of a file's task to its first
//	queue_wait_p99_ms  execution, including the time for which the submit waits while
//	                   the queue is full; of files done
//	run_time_p50_ms    milliseconds of the last execution of a file's task;
//	run_time_p99_ms    of files done
//	workers_min        the bounds on the number of workers, as given
//	workers_max
//	peak_workers       the most workers that existed when a task started
//	peak_busy          the most tasks that were executed at the same time, including
//	                   a task that caller-runs adds
//	restarts           executions other than the first of their file
//	failures           list of what could not be read, sorted by path:
//	  path             below dir, with slashes; "." is dir itself
//	  error            of the last attempt that was not interrupted
//	  attempts         how often it was tried; directories are tried once
//	keys               list of the top-level folders, sorted by name:
//	  key              the name; "." stands for the files beside the folders
//	  bytes_share      bytes / bytes of the whole run
//	  files_found, files_read, files_failed, shed, dropped, files_unfinished, late,
//	  bytes, queue_wait_p50_ms, queue_wait_p99_ms
//	                   as above, of the files in that folder, at any depth
//
// Percentiles are exact to three digits; those of keys are exact; those of no files are
// 0. The digest covers one line per file, "SHA-256  path", in the byte-wise order of
// the paths. It equals the output of
//
//	find * -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
//
// in a directory without hidden files at its top and without line breaks or backslashes
// in names. Two runs with the same digest have read the same files.
//
// # JSON of compare
//
// All fields are always present. With a directory, the fields of a synthetic workload
// are 0 or empty, and vice versa.
//
//	dir                 the directory, as given
//	shape               the synthetic workload, as given
//	rate_per_s
//	service_ms
//	duration_s
//	seed
//	cpu
//	tasks               number of tasks
//	workers_min         what all settings have in common, as given
//	workers_max
//	idle_timeout_s
//	limit
//	overflow
//	sample_interval_ms  the time between two samples
//	interrupted         whether an interrupt cut the comparison short
//	settings            list of the settings, in the order of their measurement:
//	  queue             the discipline
//	  scaler            the scaler
//	  tasks             tasks that were submitted: the sum of done, failed, shed,
//	                    dropped and unfinished
//	  done              tasks that succeeded
//	  failed            tasks that failed, such as files that could not be read
//	  shed              tasks that the discipline shed
//	  dropped           tasks that the overflow policy dropped
//	  unfinished        tasks that an interrupt left undone
//	  late              tasks done or failed that started after their deadline
//	  elapsed_s         seconds from the start of the manager to the end of the last task
//	  queue_wait_p50_ms, queue_wait_p95_ms, queue_wait_p99_ms
//	                    milliseconds from when a task was due, or for files from the
//	                    submit, to its execution; of tasks done or failed
//	  run_time_p50_ms   milliseconds of the execution of a task done or failed
//	  mean_workers      worker_s / elapsed_s
//	  peak_workers      the most workers that existed in a sample or when a task started
//	  worker_s          sum of the lifetimes of all workers in seconds: the cost of the
//	                    setting
//	  turns             how often the number of workers changed from growing to
//	                    shrinking or back, from sample to sample
//	  lag_ms            the longest time by which the submit of a task was late, in
//	                    milliseconds
//	  samples           list of the samples:
//	    at_s            seconds since the start of the manager
//	    workers         workers that exist
//	    busy            tasks that workers execute
//	    queued          tasks that wait in the queue
//
// # Extending
//
// A subcommand is a package below internal/subcommand and an entry in the table of
// main.go. A discipline, overflow policy, scaler or restart policy is an entry of a
// menu in internal/settings, and a shape an entry of the menu in internal/workload.
package main
