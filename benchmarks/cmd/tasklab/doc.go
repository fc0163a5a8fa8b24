// Tasklab puts the task manager to work on real input.
//
//	tasklab run -dir DIR [flags]
//
// makes a named task of every regular file below DIR, which reads the file,
// computes its SHA-256 and counts its lines, and ends with a table of what was
// done and how long things waited and ran. For example
//
//	tasklab run -dir "$(go env GOROOT)/src" -max 16 -list files.txt
//
// A file that cannot be read is tried again, under the manager's restart policy
// and up to -retries times, and then reported with its path and error; so is a
// directory that cannot be read. What is neither a file nor a directory (a
// symbolic link, a socket) is only counted.
//
// The results go to the standard output, with -json as one JSON object. The
// progress goes to the standard error: a bar if that is a terminal, a line every
// two seconds if not. An interrupt ends the run in good order, with the table of
// what was done; a second one ends it at once.
//
// The flags are listed by
//
//	tasklab run -h
//
// The exit status is 0 if all is well, 1 if something could not be read or
// written, or was shed or dropped, 2 if the arguments are wrong, and 130 after an
// interrupt.
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
// # JSON
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
package main
