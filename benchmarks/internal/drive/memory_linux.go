package drive

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// PeakMemory returns the peak memory of the process in bytes. (The peak of getrusage includes
// the memory of the parent process before exec.)
func PeakMemory() (uint64, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("drive: %w", err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var kib uint64
			if _, err := fmt.Sscanf(text, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("drive: the peak of memory: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("drive: /proc/self/status does not tell the peak of memory")
}
