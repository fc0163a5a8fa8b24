package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// load is a way to use package nats.
type load struct {
	name  string
	shape shape
	depth int
}

// loads returns what the capacity is measured with. Each differs from the first one in what its name says.
func loads() []load {
	small, large := strings.Repeat("x", 88), strings.Repeat("x", 1012) // {"data":"…"} adds 11 bytes
	return []load{
		{name: "payload of 100 bytes", shape: shape{data: small}},
		{name: "published without package nats", shape: shape{data: small, raw: true}},
		{name: "payload of 1 KiB", shape: shape{data: large}},
		{name: "results are kept", shape: shape{data: small, result: time.Minute}},
		{name: "50 kinds", shape: shape{data: small, kinds: 50}},
		{name: "50 kinds, 100,000 tasks wait", shape: shape{data: small, kinds: 50}, depth: 100_000},
		{name: "2 namespaces", shape: shape{data: small, shards: 2}},
		{name: "4 namespaces", shape: shape{data: small, shards: 4}},
		{name: "three servers", shape: shape{data: small, servers: 3}},
		{name: "three servers, 4 namespaces", shape: shape{data: small, servers: 3, shards: 4}},
	}
}

// capacity measures the loads and returns tables.
func capacity(ctx context.Context, dir string, scale float64, progress func(string)) (string, error) {
	var b strings.Builder
	for _, d := range []durability{synced, delayed} {
		fmt.Fprintf(&b, "\n## Capacity: after a power loss, %s\n\n", d)
		b.WriteString("Servers in processes of their own, TCP.\n\n||submit, one at a time|64 at a time|batches of 500|run, 64 at a time|\n|---|---:|---:|---:|---:|\n")
		for _, l := range loads() {
			progress("capacity: " + l.name)
			f, err := measure(ctx, contender{name: l.name, durability: d, open: func(ctx context.Context) (system, error) {
				return openTCP(ctx, dir, intervals[d], l.shape)
			}}, l.plan(d, scale))
			if err != nil {
				return "", fmt.Errorf("%s: %w", l.name, err)
			}
			fmt.Fprintf(&b, "|%s|%s|%s|%s|%s|\n", l.name, perSecond(f.single), perSecond(f.parallel), perSecond(f.batch), perSecond(f.run))
		}
	}
	return b.String(), nil
}

func (l load) plan(d durability, scale float64) plan {
	p := planFor(d, scale)
	p.yard, p.latencies, p.depth = 0, 0, l.depth
	// Tasks that nobody can run, or so many that it would take half a minute.
	p.noRun = l.shape.raw || l.depth > 0 && d == synced
	return p
}

// intervals are the times between two syncs of the servers of package nats.
var intervals = map[durability]time.Duration{synced: 0, delayed: time.Second}

// perSecond formats a rate; 0 is none.
func perSecond(rate float64) string {
	if rate == 0 {
		return "–"
	}
	return thousands(rate) + "/s"
}
