package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"
)

// report is the result of a run. Its form in JSON is an interface for other
// programs, which the documentation of the program describes.
type report struct {
	Dir         string `json:"dir"`
	Interrupted bool   `json:"interrupted"`
	Queue       string `json:"queue"`
	Limit       int    `json:"limit"`
	Overflow    string `json:"overflow"`
	Scaler      string `json:"scaler"`
	Restart     string `json:"restart"`
	Retries     int    `json:"retries"`
	tally
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
	Failures       []failure   `json:"failures"`
	Keys           []keyReport `json:"keys"`

	files []fileResult // that were read, in the order of their paths
}

// report makes the report of a job that has ended.
func (j *job) report(cfg runConfig) report {
	r := j.results
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.files, func(a, b fileResult) int { return cmp.Compare(a.path, b.path) })
	slices.SortFunc(r.failures, func(a, b failure) int { return cmp.Compare(a.Path, b.Path) })
	seconds := max(j.elapsed, time.Nanosecond).Seconds()
	return report{
		Dir:            cfg.dir,
		Queue:          cfg.queue.name,
		Limit:          cfg.limit,
		Overflow:       cfg.overflow.name,
		Scaler:         cfg.scaler.name,
		Restart:        cfg.restart.name,
		Retries:        cfg.retries,
		tally:          r.counts.tally,
		Skipped:        r.counts.skipped,
		Lines:          r.counts.lines,
		Digest:         digest(r.files),
		Elapsed:        seconds,
		FilesPerSecond: float64(r.counts.Read) / seconds,
		BytesPerSecond: float64(r.counts.Bytes) / seconds,
		QueueWaitP50:   percentile(r.queueWait, 50),
		QueueWaitP99:   percentile(r.queueWait, 99),
		RunTimeP50:     percentile(r.runTime, 50),
		RunTimeP99:     percentile(r.runTime, 99),
		WorkersMin:     cfg.min,
		WorkersMax:     cfg.max,
		PeakWorkers:    j.load.peakWorkers.Load(),
		PeakBusy:       j.load.peakBusy.Load(),
		Restarts:       r.counts.restarts,
		Failures:       append([]failure{}, r.failures...), // never null in JSON
		Keys:           keyReports(r.keys, r.counts.Bytes),
		files:          r.files,
	}
}

// digest is the combined digest of files in the order of their paths.
func digest(files []fileResult) string {
	h := sha256.New()
	for _, f := range files {
		h.Write(fmt.Appendf(nil, "%x  %s\n", f.sum, f.path))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// deliver writes the report to where the flags say.
func (r report) deliver(cfg runConfig, w io.Writer) error {
	var err error
	if cfg.json {
		err = writeJSON(w, r)
	} else {
		err = r.writeTable(w)
	}
	if cfg.list != "" {
		err = errors.Join(err, r.writeList(cfg.list))
	}
	return err
}

// writeJSON writes a report as one JSON object.
func writeJSON(w io.Writer, report any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // paths are to stay readable
	e.SetIndent("", "  ")
	if err := e.Encode(report); err != nil {
		return fmt.Errorf("tasklab: write the report: %w", err)
	}
	return nil
}

// writeList writes a line for each file that was read.
func (r report) writeList(name string) error {
	var b []byte
	for _, f := range r.files {
		b = fmt.Appendf(b, "%x  %d  %s\n", f.sum, f.lines, printable(f.path))
	}
	if err := os.WriteFile(name, b, 0o666); err != nil {
		return fmt.Errorf("tasklab: -list: %w", err)
	}
	return nil
}

// printable is a path that is safe to print: quoted as in Go if it has
// characters that do not print, such as those that control terminals.
func printable(path string) string {
	quoted := strconv.Quote(path)
	if quoted[1:len(quoted)-1] == path {
		return path
	}
	return quoted
}
