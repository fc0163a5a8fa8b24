// Package trace reads workloads from files, for package simulate.
//
//	w := trace.Open("jobs.csv.gz", trace.CSV())
//
// A file is read while its [workload.Jobs] is iterated, and opened anew for each iteration. A
// Workload takes constant memory, whatever the length of the file, except where it sorts: see
// [Format.Window]. Several goroutines may iterate it at the same time.
//
// # Formats
//
//	CSV      the format of this project, which Write and the recorder write
//	Columns  any other table with a header, by a mapping from its columns
//	SWF      the Standard Workload Format of the Parallel Workloads Archive
//	OTLP     spans of tasks, as the OpenTelemetry Collector writes them to a file
//
// All of them may be compressed with gzip, which is recognised by the content of the file. [Detect]
// recognises the format, except for Columns.
//
// # Recordings
//
// The recorder writes CSV with two more columns: [Header] is its first line, and a [Record] one of
// its rows.
//
// # Errors
//
// A file that cannot be read as a whole is an error: one that is missing, empty, without jobs, a
// directory or a binary file. So is a malformed line: an [*Error] says in which line and column it
// is. Times must be finite, not negative, and at most 292 years. Jobs must be in order of arrival,
// or within the window that sorts them. The error comes after the jobs of the lines before it, and
// ends the Workload. The lines that are skipped are those of the documentation of each format;
// [Format.OnSkip] tells about those that stand for jobs.
package trace
