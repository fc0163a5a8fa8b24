package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hertz is the unit of /proc/stat, the same on all architectures.
const hertz = 100

// usage returns how long all processors have run something, how long they have existed, and how long
// they have run this process and those that it waited for. It returns false if the system
// does not tell.
func usage() (busy, all, ours time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, 0, false
	}
	for i, field := range fields[1:9] { // user, nice, system, idle, iowait, irq, softirq, steal
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0, 0, false
		}
		d := time.Duration(n) * time.Second / hertz
		all += d
		if i != 3 && i != 4 {
			busy += d
		}
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) != nil {
			return 0, 0, 0, false
		}
		ours += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return busy, all, ours, true
}
