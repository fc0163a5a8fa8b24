package main

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// writeTable writes the report for people.
func (r report) writeTable(w io.Writer) error {
	all := r.summary().Render() + "\n"
	if len(r.Keys) > 1 {
		all += r.keyTable().Render() + "\n"
	}
	if len(r.Failures) > 0 {
		all += r.failureTable().Render() + "\n"
	}
	if _, err := io.WriteString(w, all); err != nil {
		return fmt.Errorf("tasklab: write the report: %w", err)
	}
	return nil
}

// summary is the table of the numbers.
func (r report) summary() table.Writer {
	count := english().Sprint
	title := "tasklab run " + printable(r.Dir)
	if r.Interrupted {
		title += " (interrupted)"
	}
	t := newTable(title)
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
		{"bytes", size(r.Bytes), count(r.Bytes)},
		{"lines", count(r.Lines), ""},
	})
	t.AppendSeparator()
	t.AppendRows([]table.Row{
		{"elapsed", short(time.Duration(r.Elapsed * float64(time.Second))), ""},
		{"files/s", count(int(r.FilesPerSecond)), size(int64(r.BytesPerSecond)) + "/s"},
		{"queue", r.Queue, fmt.Sprintf("limit %s, overflow %s", count(r.Limit), r.Overflow)},
		{"scaler", r.Scaler, "for the number of workers"},
		{"restart", r.Restart, fmt.Sprintf("for the failures, up to %d times a file", r.Retries)},
		{"queue wait p50", fromMilliseconds(r.QueueWaitP50), "from submit to first execution"},
		{"queue wait p99", fromMilliseconds(r.QueueWaitP99), ""},
		{"late", count(r.Late), fmt.Sprintf("waited for over %v + %v per KiB", leastAllowance, allowancePerKiB)},
		{"run time p50", fromMilliseconds(r.RunTimeP50), "of the last execution"},
		{"run time p99", fromMilliseconds(r.RunTimeP99), ""},
		{"peak workers", count(r.PeakWorkers), fmt.Sprintf("of %d to %d; %d busy at the same time", r.WorkersMin, r.WorkersMax, r.PeakBusy)},
	})
	t.AppendSeparator()
	t.AppendRow(table.Row{"digest", r.Digest[:16], "first digits; the same for the same files"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	return t
}

// keyTable is the table of what became of the files of each key.
func (r report) keyTable() table.Writer {
	shown := 10
	if len(r.Keys) == shown+1 { // one other is shown as well as summed up
		shown++
	}
	count := english().Sprint
	t := newTable("by folder: files found, bytes read, waits in the queue")
	t.SuppressEmptyColumns()
	wait := func(k keyReport, ms float64) string {
		if k.Read+k.Failed == 0 {
			return "-"
		}
		return fromMilliseconds(ms)
	}
	row := func(name string, k keyReport) {
		t.AppendRow(table.Row{
			name, count(k.Found), unusual(k.Failed), unusual(k.Shed), unusual(k.Dropped), unusual(k.Unfinished),
			size(k.Bytes), fmt.Sprintf("%.1f%%", 100*k.BytesShare),
			wait(k, k.QueueWaitP50), wait(k, k.QueueWaitP99), unusual(k.Late),
		})
	}
	header := table.Row{"folder", "files", "failed", "shed", "dropped", "unfinished", "bytes", "share", "wait p50", "wait p99", "late"}
	t.AppendHeader(header)
	first, others := r.largest(shown)
	for _, k := range first {
		row(printable(k.Key), k)
	}
	if n := len(r.Keys) - len(first); n > 0 {
		t.AppendSeparator()
		row(count(n)+" others", others)
	}
	t.SetColumnConfigs(append(numeric(2, len(header)), table.ColumnConfig{Number: 1, WidthMax: 40}))
	return t
}

// failureTable is the table of what could not be read.
func (r report) failureTable() table.Writer {
	t := newTable("failures")
	t.AppendHeader(table.Row{"path", "attempts", "error"})
	for _, f := range r.Failures {
		t.AppendRow(table.Row{printable(f.Path), f.Attempts, f.Error})
	}
	return t
}

func newTable(title string) table.Writer {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // not in capitals
	t.SetStyle(style)
	t.SetTitle("%s", title)
	return t
}

// numeric configures columns of numbers.
func numeric(first, last int) (columns []table.ColumnConfig) {
	for n := first; n <= last; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	return columns
}

// unusual is a number of what is rare: in a table, a column without any is left out.
func unusual(n int) string {
	if n == 0 {
		return ""
	}
	return english().Sprint(n)
}

// english prints numbers with their digits in groups.
func english() *message.Printer { return message.NewPrinter(language.English) }

// size is a number of bytes for people.
func size(bytes int64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("% .1f", decor.SizeB1024(bytes))
}

// fromMilliseconds is a duration for people.
func fromMilliseconds(ms float64) string {
	return short(time.Duration(ms * float64(time.Millisecond)))
}

// short is a duration in three digits.
func short(d time.Duration) string {
	scale := time.Duration(1)
	for d/scale >= 1000 {
		scale *= 10
	}
	return d.Round(scale).String()
}
