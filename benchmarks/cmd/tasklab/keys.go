package main

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// keyReport is what became of the files of one key, that is in one folder.
type keyReport struct {
	Key string `json:"key"`
	tally
	BytesShare   float64 `json:"bytes_share"`
	QueueWaitP50 float64 `json:"queue_wait_p50_ms"`
	QueueWaitP99 float64 `json:"queue_wait_p99_ms"`

	waits []time.Duration // ascending
}

// keyReports are the reports of all keys, by name. The bytes are those of the
// whole run.
func keyReports(keys map[string]*keyResult, bytes int64) []keyReport {
	reports := []keyReport{} // never null in JSON
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		reports = append(reports, newKeyReport(key, *keys[key], bytes))
	}
	return reports
}

func newKeyReport(key string, r keyResult, bytes int64) keyReport {
	slices.Sort(r.waits)
	return keyReport{
		Key:          key,
		tally:        r.tally,
		BytesShare:   float64(r.Bytes) / float64(max(1, bytes)),
		QueueWaitP50: milliseconds(nearestRank(r.waits, 50)),
		QueueWaitP99: milliseconds(nearestRank(r.waits, 99)),
		waits:        r.waits,
	}
}

// nearestRank is the least value that p percent of the values do not exceed, or 0
// if there are none.
func nearestRank(ascending []time.Duration, p int) time.Duration {
	if len(ascending) == 0 {
		return 0
	}
	return ascending[(len(ascending)*p+99)/100-1]
}

// largest returns the n keys with the most files, in that order, and what the
// other ones come to together.
func (r report) largest(n int) (first []keyReport, others keyReport) {
	keys := slices.Clone(r.Keys)
	slices.SortStableFunc(keys, func(a, b keyReport) int { return cmp.Compare(b.Found, a.Found) })
	n = min(n, len(keys))
	var rest keyResult
	for _, k := range keys[n:] {
		rest.add(k.tally)
		rest.waits = append(rest.waits, k.waits...)
	}
	return keys[:n], newKeyReport("", rest, r.Bytes)
}
