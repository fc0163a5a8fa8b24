//go:build !linux

package drive

// PeakMemory returns 0: the peak is known only on Linux.
func PeakMemory() (uint64, error) { return 0, nil }
