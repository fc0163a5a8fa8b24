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
// written, 2 if the arguments are wrong, and 130 after an interrupt.
//
// # JSON
//
// All fields are always there. A file is done when it was read or has failed for
// good; those that an interrupt left undone count as unfinished.
//
//	dir                the directory, as it was given
//	interrupted        whether an interrupt cut the run short
//	files_found        regular files that the walk found
//	files_read         files that were read to their end
//	files_unfinished   files that were found, but are not done
//	skipped            entries that are neither regular files nor directories
//	bytes              bytes of the files that were read
//	lines              newlines in the files that were read
//	digest             SHA-256 of the list of the files that were read, in the form
//	                   and order described below; in hexadecimal, like all digests
//	elapsed_s          seconds from the start of the manager to the end of the last task
//	files_per_s        files_read / elapsed_s
//	bytes_per_s        bytes / elapsed_s
//	queue_wait_p50_ms  milliseconds from the submit of a file's task, which waits
//	queue_wait_p99_ms  while the queue is full, to its first execution; of files done
//	run_time_p50_ms    milliseconds of the last execution of a file's task;
//	run_time_p99_ms    of files done
//	workers_min        the bounds on the number of workers, as they were given
//	workers_max
//	peak_workers       the most workers that there were when a task began
//	peak_busy          the most tasks that were being executed at the same time
//	restarts           executions other than the first of their file
//	failures           list of what could not be read, in the order of the paths:
//	  path             below dir, with slashes; "." is dir itself
//	  error            why the last attempt failed that was not interrupted
//	  attempts         how often it was tried; directories are tried once
//
// The percentiles are exact to three digits. The digest is that of one line per
// file, "SHA-256  path", in the byte-wise order of the paths: what
//
//	find * -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum
//
// prints in a directory that has no hidden files at its top and no line breaks or
// backslashes in names. Two runs with the same digest have read the same.
package main
