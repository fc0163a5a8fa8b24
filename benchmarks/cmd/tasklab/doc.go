// Tasklab tries the task manager on real files and synthetic workloads.
//
//	tasklab run -dir DIR [flags]
//	tasklab simulate [-trace FILE] [flags]
//	tasklab tune -objective TEXT [-trace FILE] [flags]
//	tasklab demo [-listen ADDRESS] [flags]
//	tasklab worker [-cluster URL] [flags]
//	tasklab demo-cluster -dir DIR [flags]
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
// With -record, the run is recorded as a trace: a CSV file with a row for each file that was found,
// with its arrival, its execution time, the attributes by which disciplines order, its wait and its
// outcome. The key is the top-level folder, and the cost is the size. A trace that exists is not
// overwritten. See package adapters/record for the columns.
//
// With -dashboard 127.0.0.1:8080, the run has a live dashboard at that address: what the workers read, what waits,
// what failed, and why the pool grew. See package adapters/dashboard.
//
// With -cluster, the files are read by several processes; see below.
//
// The command simulate replays a workload, from a trace or synthetic, under several
// settings of the manager, in virtual time: an hour takes seconds. It ends with tables
// of the results, and a chart; see below.
//
// The command tune searches for the cheapest setting that meets objectives on one part of
// a workload, and checks it on the other part; see below. The guide POLICY.md goes from a
// recorded run to tuned options in ten minutes.
//
// The command demo shows the dashboard of a synthetic service with tenants, failures, restarts, schedules and
// varying load, until it is interrupted.
//
// Results go to the standard output, with -json as one JSON object. Progress goes to
// the standard error: a bar on a terminal, otherwise a line every two seconds. An
// interrupt ends a command in good order, with the table of what was done; a second
// interrupt ends it at once.
//
// These commands list the flags:
//
//	tasklab run -h
//	tasklab simulate -h
//	tasklab tune -h
//	tasklab demo -h
//	tasklab worker -h
//	tasklab demo-cluster -h
//
// The exit status is 0 on success; 1 if something could not be read or written or,
// with run, if a file was shed or dropped; 2 if the arguments are wrong; and 130 after
// an interrupt. With tune, it is also 1 if no setting meets the objectives, or if the
// choice does not meet them on the second part. A trace that is malformed is one that could not be read.
//
// # Several processes
//
// With -cluster, the command run reads no file itself. It submits a task for each file to a cluster, and collects the
// results. The processes of the command worker read the files. They may be started and ended during the run. The digest
// equals that of a run in one process.
//
//	tasklab run -dir DIR -cluster embed
//	TASKLAB_CLUSTER=nats://SECRET@127.0.0.1:PORT tasklab worker
//
// With -cluster embed, the cluster is a NATS server in the process of the run, and that process also reads files. The
// run prints the URL for the workers, which contains a random secret. The server listens at a loopback address, since
// the connections are not encrypted.
//
// A cluster of several machines needs a separate NATS server with JetStream (nats-server -js) and TLS. Pass its URL to
// both commands with -cluster URL. Credentials are part of the URL. All users of a machine can see the arguments of its
// processes, so put a URL with credentials into the environment variable TASKLAB_CLUSTER. The worker reads it by
// default, and the run with -cluster env. The names of all streams begin with tasklab; see package adapters/nats.
//
// A task has the path of the file, not its content. So the workers run on the same machine, or have the directory
// mounted: at the same place, or at the one that -dir names. A worker opens only files below that directory. Without
// -dir, the task names the directory: every program that may submit tasks can then get digests of all files that the
// worker may read.
//
// A task also has the size and the modification time of the file. A file that has changed since the run found it is a
// failure, and so is a file that cannot be read after -retries more attempts. The flags -max, -scaler, -restart,
// -retries and so on are those of the workers.
//
// If a worker dies or cannot reach the server, its lease expires, by default after 5 s, and other workers read its
// files. A worker that is interrupted gives its files back at once. If no worker comes, the run says so and waits. An
// interrupt of the run cancels the remaining tasks.
//
// With -cluster embed -store STORE, the data of the server, and a journal of the files that were read, are in the
// directory STORE. If the run is interrupted or killed, the same command continues it. It reads files again that have
// changed since.
//
// With -dashboard, the page shows the cluster: its processes, the waiting files and the failed ones.
//
// The command demo-cluster reads a directory in its own process, and then in worker processes, three by default. It
// kills one of these on the way, and compares the digests.
//
// # The queue
//
// At most -limit files wait for a worker at the same time; with 0, a file must find an
// idle worker. The discipline that -queue names selects the next file to be read. It
// uses what the walk found out before the file is read; an unknown size counts as 0.
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
// # Simulating
//
// The command simulate tries each discipline in the list -queue with each scaler in the
// list -scaler, and with each number in the lists -min and -max. Each combination gets
// the same tasks, and a manager of its own: the one that programs use, in a bubble of
// testing/synctest, where time passes as soon as all goroutines wait. Simulations of
// several settings run at the same time.
//
// The tasks come from a trace, as recorded in a running program or exported from
// another system:
//
//	tasklab simulate -trace week.csv.gz -scaler demand,targetwait:200ms:99
//	tasklab simulate -trace llm.csv -at TIMESTAMP \
//		-service '0.0002*ContextTokens+0.02*GeneratedTokens' -key Customer
//
// The format is csv with the columns at,service,kind,key,priority,cost,deadline,fails,
// of which the first two are required; swf, the Standard Workload Format; otlp, spans as
// the OpenTelemetry Collector writes them to a file; or any CSV file, whose columns the
// flags -at, -service, -kind, -key, -priority, -cost, -deadline and -fails name. With
// -format detect, the default, the name or the content of the file tells. Package
// simulate/trace documents the formats. A trace may be compressed with gzip. A malformed
// line, or one that is out of order by more than -window, is an error.
//
// Without -trace the load is synthetic, and drawn from the seed -seed. For -duration,
// or until there are -jobs tasks, tasks arrive in the shape -shape:
//
//	step     evenly: at -rate/10 for a fifth of the time, at -rate for two fifths,
//	         and at -rate/10 again
//	steady   evenly, at -rate
//	poisson  at random, at -rate on average: a Poisson process
//	burst    all tasks of a second at once, when the second begins
//	diurnal  at random, at a rate that rises and falls, as in the course of a day
//	onoff    in bursts of all lengths
//
// Their times have the mean -service and the distribution -distribution: exponential,
// constant, lognormal or pareto. Half of the tasks have the key a, a quarter b, and an
// eighth each c and d, unless -tenants lists other keys and their shares. The levels of
// priority are 0 to 3. A deadline is 1 to 10 times -service after the arrival. Package
// simulate/load documents the loads. For example, two tenants share 4 workers; one has
// few tasks, but they take a hundred times as long:
//
//	tasklab simulate -queue fifo,fair -scaler fixed -max 4 \
//		-shape poisson -rate 200 -tenants 'small:100:1:10ms,large:1:1:1s'
//
// The submits do not wait for the manager: with -overflow block, a submitter waits for
// room, but the others arrive when they are due. The wait of a task counts from its
// arrival. The weights of the tenants, or for a trace those in -weights, are those of
// fair, unless it has weights of its own, and of Jain's index.
//
// A task waits for its time, as for a remote call. With -cores N, tasks compute, and
// share N processor cores. A task that fails, as often as the trace says, is restarted
// by the policy -restart, up to -retries times.
//
// With -runs N, the simulation is repeated with the seeds -seed, -seed+1 and so on. A
// further table has the means of the first setting, and the differences of the others
// from it. In each run all settings have the same tasks, so the difference of a run is
// due to the setting. The intervals contain the expected difference with a probability
// of 95% (Student's distribution).
//
// With -real, the same tasks run in real time, one setting after the other: they sleep,
// or with -cpu compute what a processor computes alone in their time. This shows what a
// simulation leaves out, such as the time that the manager itself takes.
//
// The chart -chart shows for each of the first eight settings, on the same axes, how
// long tasks waited and how many workers there were in the course of time. For example,
//
//	tasklab simulate -duration 30s -scaler demand,step,targetwait,utilisation \
//		-chart simulate.svg
//
// drew benchmarks/simulate.svg of this repository. It shows a load that rises from 20
// tasks a second to 200, which keep 20 workers busy, and falls again. The grey backdrop
// is the offered load: how many workers would be busy if no task waited.
//
// An interrupt ends the simulations at once. The tables and the JSON then have the
// results so far, marked as partial; settings that were not begun are left out.
//
// # Tuning
//
// The command tune takes objectives and a quantity to minimise:
//
//	tasklab tune -trace trace.csv -objective 'p99 wait <= 200ms' -objective 'late of a <= 1%' -minimise worker-seconds
//
// An objective compares a quantity with a bound, by <= or >=. The quantities are wait,
// sojourn, run and slowdown with a statistic (mean, max, p50, p95, p99 or any other
// percentile), the counts shed, dropped, failed and late (a number of tasks, or a
// percentage), jain, worker-seconds, peak workers and turns. Those up to late may be of
// one key: p95 wait of tenant-a <= 1s. A setting that sheds or drops tasks meets no
// objective, unless one says how many it may.
//
// The workload is a trace or a synthetic load, with the flags of simulate. It is split at
// the time that -split gives. Settings are chosen on the first part and checked on the
// second, each on a new manager, and both results are shown. Settings are chosen by
// bounds that are stricter by -margin (default 10%), because the cheapest setting that just
// meets a bound on one part of the traffic often misses it on another. All tasks are kept in
// memory, some 100 bytes each. Of a longer workload the first ones are used, at most -first
// (default one million), since a random sample of the tasks would need fewer workers.
//
// The search varies the queue and the scaler (the lists -queue and -scaler), those of
// their parameters that the lists do not give, the bounds on the workers between -min and
// -max, and the idle timeout unless -idle-timeout gives it. It tries -settings settings: three
// quarters by successive halving, and a quarter around the best ones; see package search
// for the method and its sources. The same -seed gives the same result.
//
// The simulation starts a worker in no time. If a worker of yours is expensive to start,
// limit turns, or fix -idle-timeout.
//
// The table has the Pareto front: the settings that no other one beats both in the
// quantity to minimise and in that of the first objective, among those that meet the other
// objectives. The chart of -chart has all settings that were tried. If
// no setting meets the objectives, the choice is the nearest one: that whose largest
// violation, relative to the bound, is the smallest. If an interrupt ends the search, the
// results so far are shown, and marked.
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
//	cluster            with -cluster, the URL without secrets; otherwise empty
//	processes          list of the processes of the cluster that read files, sorted by name:
//	  process          the name
//	  files, bytes     what they read
//
// With -cluster, a queue wait is the time from the submit of a file to its result, without the run time. The restarts
// include executions after the end of a process. attempts is 0 if it is unknown, late is 0, and the fields about the
// manager have no meaning.
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
// # JSON of simulate
//
// Times are numbers of seconds. All fields are always present.
//
//	workload            the trace or the synthetic load, described
//	real_time           whether the tasks ran in real time
//	partial             whether an interrupt cut the simulation short
//	tasks               tasks of the workload; with -runs, of the first run
//	span_s              the time of the last arrival
//	work_s              the sum of the service times of the tasks
//	idle_timeout_s      what all settings have in common, as given
//	limit
//	overflow
//	restart
//	retries
//	cores
//	seed
//	runs
//	settings            list of the settings; with -runs, of the first run:
//	  queue             the discipline
//	  scaler            the scaler
//	  min, max          the bounds of the number of workers
//	  tasks             tasks that arrived: the sum of the next six, without started
//	  started           tasks that started
//	  done              tasks that succeeded
//	  failed            tasks whose last execution failed
//	  shed              tasks that the discipline shed
//	  dropped           tasks that the overflow policy dropped
//	  cancelled         tasks that the manager ended
//	  unfinished        tasks that an interrupt left undone
//	  late              tasks that started after their deadline
//	  restarts          executions other than the first of a task
//	  wait_mean_s, wait_p50_s, wait_p95_s, wait_p99_s, wait_max_s
//	                    from the arrival to the first execution, of tasks that started
//	  sojourn_mean_s, sojourn_p99_s
//	                    from the arrival to the end, of tasks done or failed
//	  run_mean_s        the mean time of an execution
//	  slowdown_p50, slowdown_p99
//	                    the sojourn divided by the service times of all executions, of
//	                    the same tasks
//	  worker_seconds    sum of the lifetimes of all workers: the cost of the setting
//	  peak_workers      the most workers at any time
//	  turns             how often the scaler changed from raising its target to lowering
//	                    it, or back
//	  decisions         how often the scaler changed its target
//	  jain              Jain's fairness index over the keys
//	  elapsed_s         from the start of the manager to the end of the last task
//	  partial           whether an interrupt cut this setting short
//	  keys              list of the keys, in their order: key, and the fields from tasks
//	                    to slowdown_p99, of the tasks with that key
//	  kinds             list of the kinds, in their order: kind, and the same fields
//	  series            list of intervals of equal length:
//	    at_s, length_s  when the interval begins, and its length
//	    arrivals        tasks that arrived
//	    offered         work that arrived, divided by the length
//	    workers, busy   the mean numbers of workers, and of those that ran a task
//	    queued          the mean number of tasks that waited
//	    started         tasks that started
//	    wait_mean_s, wait_max_s
//	                    the waits of those tasks
//	    decisions       how often the scaler changed its target
//	    target, reason  the last target and its reason; 0 and empty if there is none
//	differences         with -runs, list of the settings:
//	  queue, scaler, min, max
//	                    the setting
//	  figures           list of the figures that are compared:
//	    figure          the name of a field above
//	    mean            its mean over the runs
//	    difference      the mean of the difference from the first setting
//	    half_width      half of the width of the 95% confidence interval around it
//
// Percentiles are those of the nearest rank, exact for up to 4096 values and within
// 0.1% for more. Those of no values are 0.
//
// # JSON of tune
//
// All fields are always present. Times are in seconds. A second result is null if it was
// not evaluated.
//
//	workload        the workload, in words
//	workload_cut    whether it has more tasks than -first
//	objectives      the objectives as given, and those that are implied
//	implied
//	minimise        the quantity to minimise
//	margin          as given
//	split
//	seed
//	parts           list of the two parts of the workload:
//	  jobs          tasks
//	  start_s       seconds from the first arrival to the beginning of the part
//	  length_s
//	  offered_load  how many workers the tasks keep busy on average
//	settings_tried  how many settings were tried
//	jobs_simulated  how many tasks were simulated in all
//	interrupted     whether an interrupt cut the search short
//	met             whether the choice meets all objectives on the first part,
//	met_second      and on the second
//	verdict         the same in words
//	options         list of the options of the choice, as Go code
//	choice          list of the quantities of the choice:
//	  quantity      as in an objective
//	  first, second the values on both parts
//	settings        list of the settings that were tried, in the order of the search:
//	  queue, scaler, min, max, idle_timeout_s
//	                the setting
//	  chosen        whether it is the choice
//	  front         whether it belongs to the Pareto front
//	  first, second the results on both parts; the first may be of its beginning only:
//	    jobs        how many tasks were simulated
//	    cost        the quantity to minimise
//	    quantity    the quantity of the first objective
//	    violation   the largest violation of an objective, relative to its bound
//	    stalled     whether tasks waited for ever; the other fields are then 0
//
// # Extending
//
// A subcommand is a package below internal/subcommand and an entry in the table of
// main.go. A discipline, overflow policy, scaler or restart policy is an entry of a
// menu in internal/settings; a shape of arrivals, a distribution of service times or a
// format of traces is one in internal/source.
package main
