package contest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// peakMemory returns the peak memory of the process in bytes. (The peak of getrusage includes
// the memory of the parent process before exec.)
func peakMemory() (uint64, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("contest: %w", err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var kib uint64
			if _, err := fmt.Sscanf(text, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("contest: the peak of memory: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("contest: /proc/self/status does not tell the peak of memory")
}
