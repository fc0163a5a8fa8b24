package run

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
)

// Report is the result of a run. It is an [output.Report].
type Report struct {
	Dir         string `json:"dir"`
	Interrupted bool   `json:"interrupted"`
	Queue       string `json:"queue"`
	Limit       int    `json:"limit"`
	Overflow    string `json:"overflow"`
	Scaler      string `json:"scaler"`
	Restart     string `json:"restart"`
	Retries     int    `json:"retries"`
	measure.Tally
	Skipped        int         `json:"skipped"`
	Lines          int64       `json:"lines"`
	Digest         string      `json:"digest"`
	Elapsed        float64     `json:"elapsed_s"`
	FilesPerSecond float64     `json:"files_per_s"`
	BytesPerSecond float64     `json:"bytes_per_s"`
	QueueWaitP50   float64     `json:"queue_wait_p50_ms"`
	QueueWaitP99   float64     `json:"queue_wait_p99_ms"`
	RunTimeP50     float64     `json:"run_time_p50_ms"`
	RunTimeP99     float64     `json:"run_time_p99_ms"`
	WorkersMin     int         `json:"workers_min"`
	WorkersMax     int         `json:"workers_max"`
	PeakWorkers    int64       `json:"peak_workers"`
	PeakBusy       int64       `json:"peak_busy"`
	Restarts       int         `json:"restarts"`
	Failures       []Failure   `json:"failures"`
	Keys           []KeyReport `json:"keys"`

	Cluster   string          `json:"cluster"`
	Processes []ProcessReport `json:"processes"`

	files []fileResult // that were read, in the order of their paths
}

// ProcessReport is the result for a process of a cluster.
type ProcessReport struct {
	Process string `json:"process"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
}

// measured is what a job measures as a whole.
type measured struct {
	elapsed               time.Duration
	peakWorkers, peakBusy int64
}

// report makes the report of a job that has ended.
func (c *command) report(r *results, m measured) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.files, func(a, b fileResult) int { return cmp.Compare(a.path, b.path) })
	slices.SortFunc(r.failures, func(a, b Failure) int { return cmp.Compare(a.Path, b.Path) })
	seconds := max(m.elapsed, time.Nanosecond).Seconds()
	return Report{
		Dir:            c.dir,
		Queue:          c.queue.Name,
		Limit:          c.manager.Limit,
		Overflow:       c.manager.Overflow.Name,
		Scaler:         c.scaler.Name,
		Restart:        c.restart.Name,
		Retries:        c.retries,
		Tally:          r.counts.Tally,
		Skipped:        r.counts.skipped,
		Lines:          r.counts.lines,
		Digest:         digest(r.files),
		Elapsed:        seconds,
		FilesPerSecond: float64(r.counts.Read) / seconds,
		BytesPerSecond: float64(r.counts.Bytes) / seconds,
		QueueWaitP50:   r.times.QueueWait(50),
		QueueWaitP99:   r.times.QueueWait(99),
		RunTimeP50:     r.times.RunTime(50),
		RunTimeP99:     r.times.RunTime(99),
		WorkersMin:     c.manager.Min,
		WorkersMax:     c.manager.Max,
		PeakWorkers:    m.peakWorkers,
		PeakBusy:       m.peakBusy,
		Restarts:       r.counts.restarts,
		Failures:       append([]Failure{}, r.failures...), // never null in JSON
		Keys:           keyReports(r.keys, r.counts.Bytes),
		Processes:      processReports(r.processes),
		files:          r.files,
	}
}

// processReports returns the reports of all processes, sorted by name.
func processReports(processes map[string]ProcessReport) []ProcessReport {
	reports := []ProcessReport{} // never null in JSON
	for _, name := range slices.Sorted(maps.Keys(processes)) {
		reports = append(reports, processes[name])
	}
	return reports
}

// digest returns the digest of a list of files.
func digest(files []fileResult) string {
	h := sha256.New()
	for _, f := range files {
		h.Write(fmt.Appendf(nil, "%x  %s\n", f.Sum, f.path))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// deliver writes the report, and the list of files if the user asked for it.
func (c *command) deliver(r Report, stdout io.Writer) error {
	err := c.format.Write(stdout, r)
	if c.list != "" {
		err = errors.Join(err, r.writeList(c.list))
	}
	return err
}

// writeList writes a line for each file that was read.
func (r Report) writeList(name string) error {
	var b []byte
	for _, f := range r.files {
		b = fmt.Appendf(b, "%x  %d  %s\n", f.Sum, f.Lines, output.Printable(f.path))
	}
	if err := os.WriteFile(name, b, 0o666); err != nil {
		return fmt.Errorf("tasklab: -list: %w", err)
	}
	return nil
}
