//go:build !linux

package yardstick

// runOn does nothing: only on Linux can a thread choose its processor.
func runOn(bool) {}
