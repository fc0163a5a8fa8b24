package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// result is what was measured of a contender.
type result struct {
	contender contender
	rounds    []figures
}

// introduction says what is compared.
//
//go:embed introduction.md
var introduction string

// report returns the tables in Markdown.
func report(results []result, idle []*idleContender, sync, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Tasks over processes, beside River and Asynq\n\n")
	fmt.Fprintf(&b, "Measured on %s in %.0f s by `make bench-cluster`: %s%s/%s, GOMAXPROCS %d, %s. To append 4 KiB to a file and sync it takes %v.\n",
		time.Now().Format(time.DateOnly), took.Seconds(), processor(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version(), sync.Round(10*time.Microsecond))
	fmt.Fprintf(&b, "Versions: %s.\n\n%s", strings.Join(versions(), ", "), introduction)
	for _, d := range []durability{synced, delayed} {
		table(&b, d, results)
	}
	if len(idle) > 0 {
		b.WriteString("\n## An idle worker\n\n|worker|kinds|counted|each second|\n|---|---:|---|---:|\n")
		for _, c := range idle {
			fmt.Fprintf(&b, "|%s|%d|%s|%.2f|\n", c.name, c.kinds, c.counts, c.rate)
		}
	}
	return b.String()
}

// processor returns the model of the processor, if Linux tells it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if model, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(model, "\t :\n") + ", "
		}
	}
	return ""
}

// table prints the contenders with the same durability.
func table(b *strings.Builder, d durability, results []result) {
	results = slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.contender.durability != d })
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## After a power loss, %s\n\n", d)
	b.WriteString("||submit, one at a time|64 at a time|batches of 500|run, 64 at a time|to in-process|idle, p50|p99|\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range results {
		rate := func(of func(figures) float64) string {
			m, spread := median(r.rounds, of)
			if m == 0 {
				return "–"
			}
			if len(r.rounds) == 1 {
				return perSecond(m)
			}
			return fmt.Sprintf("%s ± %.0f %%", perSecond(m), 100*spread)
		}
		latency := func(of func(figures) time.Duration) string {
			m, _ := median(r.rounds, func(f figures) float64 { return of(f).Seconds() })
			return fmt.Sprintf("%.2f ms", 1000*m)
		}
		ratio, _ := median(r.rounds, func(f figures) float64 { return f.yard / f.run })
		fmt.Fprintf(b, "|%s|%s|%s|%s|%s|1:%.0f|%s|%s|\n", r.contender.name,
			rate(func(f figures) float64 { return f.single }),
			rate(func(f figures) float64 { return f.parallel }),
			rate(func(f figures) float64 { return f.batch }),
			rate(func(f figures) float64 { return f.run }), ratio,
			latency(func(f figures) time.Duration { return f.p50 }),
			latency(func(f figures) time.Duration { return f.p99 }))
	}
}

// median returns the median over the rounds, and half of the range as a part of it.
func median(rounds []figures, of func(figures) float64) (m, spread float64) {
	all := make([]float64, len(rounds))
	for i, f := range rounds {
		all[i] = of(f)
	}
	slices.Sort(all)
	m = (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	if m == 0 {
		return 0, 0
	}
	return m, (all[len(all)-1] - all[0]) / 2 / m
}

// thousands formats a rate with at most three digits that count.
func thousands(rate float64) string {
	if rate < 1000 {
		return fmt.Sprintf("%.3g", rate)
	}
	return fmt.Sprintf("%.3gk", rate/1000)
}

// versions returns the modules that matter.
func versions() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var all []string
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "github.com/riverqueue/river", "github.com/hibiken/asynq":
			all = append(all, d.Path+" "+d.Version)
		}
	}
	return all
}

// syncTime returns the median time that the disk takes to write a block for good.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	times := make([]time.Duration, 100)
	for i := range times {
		begin := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
