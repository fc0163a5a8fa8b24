package run

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
)

// Text returns the tables: a summary, the folders if there are several, and the
// failures if there are any.
func (r Report) Text() string {
	all := r.summary().Render() + "\n"
	if len(r.Keys) > 1 {
		all += r.keyTable().Render() + "\n"
	}
	if len(r.Processes) > 0 {
		all += r.processTable().Render() + "\n"
	}
	if len(r.Failures) > 0 {
		all += r.failureTable().Render() + "\n"
	}
	return all
}

// summary is the table of the totals.
func (r Report) summary() table.Writer {
	count := output.English().Sprint
	title := "tasklab run " + output.Printable(r.Dir)
	if r.Interrupted {
		title += " (interrupted)"
	}
	t := output.NewTable(title)
	t.AppendRow(table.Row{"files read", count(r.Read), "of " + count(r.Found) + " found"})
	for _, row := range []struct {
		name   string
		number int
		remark string
	}{
		{"files unfinished", r.Unfinished, "found, but not done when interrupted"},
		{"shed", r.Shed, "not read, having waited for too long"},
		{"dropped", r.Dropped, "not read, as the queue was full"},
	} {
		if row.number > 0 {
			t.AppendRow(table.Row{row.name, count(row.number), row.remark})
		}
	}
	t.AppendRows([]table.Row{
		{"failures", count(len(r.Failures)), "files and directories"},
		{"restarts", count(r.Restarts), "executions other than the first of a file"},
		{"skipped", count(r.Skipped), "neither files nor directories"},
		{"bytes", output.Size(r.Bytes), count(r.Bytes)},
		{"lines", count(r.Lines), ""},
	})
	t.AppendSeparator()
	t.AppendRows([]table.Row{
		{"elapsed", output.Short(measure.Seconds(r.Elapsed)), ""},
		{"files/s", count(int(r.FilesPerSecond)), output.Size(int64(r.BytesPerSecond)) + "/s"},
	})
	if r.Cluster == "" {
		t.AppendRows(r.ofManager())
	} else {
		t.AppendRows(r.ofCluster())
	}
	t.AppendSeparator()
	t.AppendRow(table.Row{"digest", r.Digest[:16], "first digits; the same for the same files"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	return t
}

// ofManager are the rows about the manager of a run in one process.
func (r Report) ofManager() []table.Row {
	count := output.English().Sprint
	return []table.Row{
		{"queue", r.Queue, fmt.Sprintf("limit %s, overflow %s", count(r.Limit), r.Overflow)},
		{"scaler", r.Scaler, "for the number of workers"},
		{"restart", r.Restart, fmt.Sprintf("for the failures, up to %d times a file", r.Retries)},
		{"queue wait p50", output.ShortMilliseconds(r.QueueWaitP50), "from submit to first execution"},
		{"queue wait p99", output.ShortMilliseconds(r.QueueWaitP99), ""},
		{"late", count(r.Late), fmt.Sprintf("waited for over %v + %v per KiB", workload.LeastAllowance, workload.AllowancePerKiB)},
		{"run time p50", output.ShortMilliseconds(r.RunTimeP50), "of the last execution"},
		{"run time p99", output.ShortMilliseconds(r.RunTimeP99), ""},
		{"peak workers", count(r.PeakWorkers), fmt.Sprintf("of %d to %d; %d busy at the same time", r.WorkersMin, r.WorkersMax, r.PeakBusy)},
	}
}

// ofCluster are the rows about a run in several processes.
func (r Report) ofCluster() []table.Row {
	count := output.English().Sprint
	return []table.Row{
		{"cluster", output.Count(len(r.Processes), "reader"), r.Cluster},
		{"wait p50", output.ShortMilliseconds(r.QueueWaitP50), "from submit to result, without the run time"},
		{"wait p99", output.ShortMilliseconds(r.QueueWaitP99), ""},
		{"run time p50", output.ShortMilliseconds(r.RunTimeP50), "of the last execution"},
		{"run time p99", output.ShortMilliseconds(r.RunTimeP99), ""},
		{"peak workers", count(r.PeakWorkers), "of all processes"},
	}
}

// processTable is the table of the processes of a cluster.
func (r Report) processTable() table.Writer {
	count := output.English().Sprint
	t := output.NewTable("by process")
	t.AppendHeader(table.Row{"process", "files", "bytes"})
	for _, p := range r.Processes {
		t.AppendRow(table.Row{output.Printable(p.Process), count(p.Files), output.Size(p.Bytes)})
	}
	t.SetColumnConfigs(append(output.NumericColumns(2, 3), table.ColumnConfig{Number: 1, WidthMax: 40}))
	return t
}

// keyTable is the table of the folders.
func (r Report) keyTable() table.Writer {
	shown := 10
	if len(r.Keys) == shown+1 { // a row for the last folder takes no more room than "1 others"
		shown++
	}
	count := output.English().Sprint
	t := output.NewTable("by folder: files found, bytes read, waits in the queue")
	t.SuppressEmptyColumns()
	wait := func(k KeyReport, ms float64) string {
		if k.Read+k.Failed == 0 {
			return "-"
		}
		return output.ShortMilliseconds(ms)
	}
	row := func(name string, k KeyReport) {
		t.AppendRow(table.Row{
			name, count(k.Found),
			output.NonZero(k.Failed), output.NonZero(k.Shed), output.NonZero(k.Dropped), output.NonZero(k.Unfinished),
			output.Size(k.Bytes), fmt.Sprintf("%.1f%%", 100*k.BytesShare),
			wait(k, k.QueueWaitP50), wait(k, k.QueueWaitP99), output.NonZero(k.Late),
		})
	}
	header := table.Row{"folder", "files", "failed", "shed", "dropped", "unfinished", "bytes", "share", "wait p50", "wait p99", "late"}
	t.AppendHeader(header)
	first, others := r.largest(shown)
	for _, k := range first {
		row(output.Printable(k.Key), k)
	}
	if n := len(r.Keys) - len(first); n > 0 {
		t.AppendSeparator()
		row(count(n)+" others", others)
	}
	t.SetColumnConfigs(append(output.NumericColumns(2, len(header)), table.ColumnConfig{Number: 1, WidthMax: 40}))
	return t
}

// failureTable is the table of what could not be read.
func (r Report) failureTable() table.Writer {
	t := output.NewTable("failures")
	t.AppendHeader(table.Row{"path", "attempts", "error"})
	for _, f := range r.Failures {
		t.AppendRow(table.Row{output.Printable(f.Path), f.Attempts, f.Error})
	}
	return t
}
