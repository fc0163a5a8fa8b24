// Package simulate replays a workload on a real task manager in virtual time, to show what a
// scheduling policy does to it.
package simulate
