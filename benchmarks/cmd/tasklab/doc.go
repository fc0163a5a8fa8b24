// Tasklab puts the task manager to work on real input.
//
//	tasklab run -dir DIR [flags]
//	tasklab compare [flags]
//
// The command run makes a named task of every regular file below DIR, which reads
// the file, computes its SHA-256 and counts its lines, and ends with a table of what
// was done and how long things waited and ran. For example
//
//	tasklab run -dir "$(go env GOROOT)/src" -max 16 -list files.txt
//
// A file that cannot be read is tried again, when -restart says and up to -retries
// times, and then reported with its path and error; so is a directory that cannot
// be read. What is neither a file nor a directory (a symbolic link, a socket) is
// only counted.
//
// The command compare puts one workload, made up or read, under several settings of
// the manager, one after the other, and ends with a table of what each made of it,
// and a chart; see below.
//
// The results go to the standard output, with -json as one JSON object. The
// progress goes to the standard error: a bar if that is a terminal, a line every
// two seconds if not. An interrupt ends a command in good order, with the table of
// what was done; a second one ends it at once.
//
// The flags are listed by
//
//	tasklab run -h
//	tasklab compare -h
//
// The exit status is 0 if all is well, 1 if something could not be read or
// written, or, with run, was shed or dropped, 2 if the arguments are wrong, and 130
// after an interrupt.
//
// # The queue
//
// At most -limit files wait for a worker at the same time. Which of them is read
// next is for the discipline to say, which -queue names. What it goes by comes
// from the walk, before a file is read; a size that cannot be told counts as 0.
//
//	fifo      the order in which the files were found
//	lifo      the reverse
//	priority  smaller files first. A file is one level down for each doubling of
//	          its size; of those found later, at most 100 for each level between
//	          them go before it
//	deadline  the earliest deadline first: 100 ms after the file was found, and
//	          1 ms more for each KiB
//	fair      the folders at the top of the directory in turns, the files that lie
//	          beside them as one more folder, with equal shares of the bytes; a
//	          turn is as long as the mean file that waits
//	codel     as fifo, but in overload files that have waited for too long are
//	          shed: they end without having been read
//
// A discipline can choose only among the files that wait. The walk goes through
// one folder after the other, so with the default -limit most of them are of the
// same one. The differences show when all may wait:
//
//	tasklab run -dir "$(go env GOROOT)/src" -limit 20000 -max 2 -queue fair
//
// For codel it is overload if for 100 ms every file that was taken had waited for
// more than 5 ms, and too long is 10 ms. As each file waits for up to -limit
// others, that is so whenever it takes longer than 5 ms to read so many, for
// instance from a slow disk, and a large part of them is shed then. A -limit of a
// few files for each worker keeps the waits short without that.
//
// If there is no room for a file that the walk has found, -overflow names what
// happens: block (the walk waits), drop-newest, drop-oldest, drop-worst (that file,
// the one that has waited longest, or the one that the discipline can best do
// without ends without having been read) or caller-runs (the walk reads it, beside
// the workers).
//
// # The workers
//
// There are from -min to -max workers. How many is for the scaler to say, which
// -scaler names:
//
//	demand       one for each file that is read or waits
//	fixed        -max, all the time
//	step         half-way to -max whenever a file has waited for 500 ms
//	targetwait   as many as let 95% of the files begin within 100 ms
//	utilisation  as many as are each busy for 70% of the time, on average over 6 s
//	probe        one more or less each second, in the direction that raises the
//	             throughput
//
// What it says can be changed, by a name behind a +, as in demand+stabilise:
//
//	stabilise    the most that it said in the last 5 s
//	tolerance    no change if it would be one of 10% or less
//	ratelimit    no more than 10 new ones a second
//
// # Retries
//
// A file that could not be read is tried again up to -retries times. When, and
// whether at all, is for the policy to say, which -restart names. The last two are
// exponential, but give up sooner.
//
//	exponential   at once, then after up to 10 ms, 20 ms and so on to 10 s, at random
//	constant      after 100 ms each time
//	decorrelated  after 10 ms or more, at random up to three times the time before
//	never         not at all
//	intensity     no more than once in 5 s, for each file
//	budget        10 times, and once more for each 10 files that are begun, for all
//	              files together
//
// # Telemetry
//
// With OTEL_EXPORTER_OTLP_ENDPOINT set, or the variable of one signal, the command run
// exports a span for each attempt and each wait for another one, metrics, and what the
// manager logs, to an OpenTelemetry backend:
//
//	OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 tasklab run -dir .
//
// The other standard variables count too, such as OTEL_SERVICE_NAME (the default is tasklab),
// OTEL_TRACES_SAMPLER, and OTEL_TRACES_EXPORTER for another exporter; a signal for which none
// of them names somewhere to go is not exported. If the export fails the
// run says so at its end, and its exit status is that of the run.
//
// # Comparing
//
// The command compare tries each discipline in the list -queue with each scaler in
// the list -scaler. Each combination gets a manager of its own, and the same tasks.
// They are the files below -dir, in the order of the walk and each submitted as
// soon as the one before was taken; or, without -dir, made up, from the seed -seed:
// for -duration -rate of them come each second, at times of which -shape says
//
//	step     evenly, at a tenth of -rate for a fifth of the time, at -rate for two
//	         fifths, and at a tenth again
//	steady   evenly, at -rate
//	poisson  at random, at -rate on average: a Poisson process
//	burst    those of each second at its begin, all at once
//
// A task takes -service on average, exponentially distributed, and waits meanwhile,
// as for a remote call; with -cpu it computes as much as takes a processor that
// long by itself. Half of the tasks have the key a, a quarter b, and c and d an
// eighth each; the levels of priority are from 0 to 3; a task is due 1 to 10 times
// -service after it came. (Files are as with run, but tried only once, and read
// once in advance, so that no setting finds less of them in memory than others.)
//
// For example, with the defaults at a longer duration,
//
//	tasklab compare -duration 30s -chart compare.svg
//
// drew benchmarks/compare.svg of this repository. It shows a load that rises from 20
// tasks a second to 200, which keep 20 workers busy, and falls again. The grey
// backdrop is the offered load: how many workers would be busy if no task had to
// wait.
//
// Nothing is to slow down the arrivals, but a submit that waits for room in the queue
// does, and so does a machine with too much to do. A task that is submitted late
// for that has waited since it was due, and the largest lag is reported.
//
// # JSON of run
//
// All fields are always there. What became of a file is counted in one of five:
// files_found is the sum of files_read, files_failed, shed, dropped and
// files_unfinished. A file is done when it was read or has failed for good.
//
//	dir                the directory, as it was given
//	interrupted        whether an interrupt cut the run short
//	queue              the discipline, the most files that may wait, and what happens
//	limit              to more, as they were given
//	overflow
//	scaler             the strategy that says how many workers there are
//	restart            the policy for files that could not be read, and how often one
//	retries            may be tried again, as they were given
//	files_found        regular files that the walk found
//	files_read         files that were read to their end
//	files_failed       files whose last attempt failed that was not interrupted
//	shed               files that the discipline gave up before the first attempt
//	dropped            files that the overflow policy gave up before the first attempt
//	files_unfinished   files that an interrupt left undone
//	late               files done that began after their deadline: under every
//	                   discipline that of the discipline deadline, but under others
//	                   by the size that the file had when it was first opened
//	bytes              bytes of the files that were read
//	skipped            entries that are neither regular files nor directories
//	lines              newlines in the files that were read
//	digest             SHA-256 of the list of the files that were read, in the form
//	                   and order described below; in hexadecimal, like all digests
//	elapsed_s          seconds from the start of the manager to the end of the last task
//	files_per_s        files_read / elapsed_s
//	bytes_per_s        bytes / elapsed_s
//	queue_wait_p50_ms  milliseconds from the submit of a file's task, which may wait
//	queue_wait_p99_ms  while the queue is full, to its first execution; of files done
//	run_time_p50_ms    milliseconds of the last execution of a file's task;
//	run_time_p99_ms    of files done
//	workers_min        the bounds on the number of workers, as they were given
//	workers_max
//	peak_workers       the most workers that there were when a task began
//	peak_busy          the most tasks that were being executed at the same time, with
//	                   the one that caller-runs adds
//	restarts           executions other than the first of their file
//	failures           list of what could not be read, in the order of the paths:
//	  path             below dir, with slashes; "." is dir itself
//	  error            why the last attempt failed that was not interrupted
//	  attempts         how often it was tried; directories are tried once
//	keys               list of the folders at the top of the directory, by name:
//	  key              the name; "." stands for the files beside the folders
//	  bytes_share      bytes / bytes of the whole run
//	  files_found, files_read, files_failed, shed, dropped, files_unfinished, late,
//	  bytes, queue_wait_p50_ms, queue_wait_p99_ms
//	                   as above, of the files in that folder, at any depth
//
// The percentiles are exact to three digits, those of keys are exact, and those of
// no files are 0. The digest is that of one line per file, "SHA-256  path", in the
// byte-wise order of the paths: what
//
//	find * -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
//
// prints in a directory that has no hidden files at its top and no line breaks or
// backslashes in names. Two runs with the same digest have read the same.
//
// # JSON of compare
//
// All fields are always there; those that are for a synthetic workload are 0 or empty
// with a directory, and the other way about.
//
//	dir                 the directory, as it was given
//	shape               the synthetic workload, as it was given
//	rate_per_s
//	service_ms
//	duration_s
//	seed
//	cpu
//	tasks               how many tasks there are
//	workers_min         the manager, but for what is compared, as it was given
//	workers_max
//	idle_timeout_s
//	limit
//	overflow
//	sample_interval_ms  the time between two samples
//	interrupted         whether an interrupt cut the comparison short
//	settings            list of the settings, in the order in which they were measured:
//	  queue             the discipline
//	  scaler            the scaler
//	  tasks             tasks that were submitted: the sum of done, failed, shed,
//	                    dropped and unfinished
//	  done              tasks that ended well
//	  failed            tasks that failed, such as files that cannot be read
//	  shed              tasks that the discipline gave up
//	  dropped           tasks that the overflow policy gave up
//	  unfinished        tasks that an interrupt left undone
//	  late              tasks done or failed that began after their deadline
//	  elapsed_s         seconds from the start of the manager to the end of the last task
//	  queue_wait_p50_ms, queue_wait_p95_ms, queue_wait_p99_ms
//	                    milliseconds from when a task was due to its execution, or, for
//	                    files, from the submit; of tasks done or failed
//	  run_time_p50_ms   milliseconds of the execution of a task done or failed
//	  mean_workers      worker_s / elapsed_s
//	  peak_workers      the most workers that there were in a sample or when a task began
//	  worker_s          sum of the times for which each worker was there, in seconds: what
//	                    the setting costs
//	  turns             how often the number of workers went from growing to shrinking
//	                    or back, from sample to sample
//	  lag_ms            the most milliseconds by which the submit of a task was late
//	  samples           list of the samples:
//	    at_s            seconds since the start of the manager
//	    workers         workers there are
//	    busy            tasks that workers execute
//	    queued          tasks that wait in the queue
package main
