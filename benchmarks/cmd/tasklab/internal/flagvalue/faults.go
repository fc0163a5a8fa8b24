package flagvalue

import (
	"errors"
	"fmt"
	"os"
)

// Faults collects everything that is wrong with the flags, so that the user
// learns of all faults at once.
type Faults []error

// Add adds a fault.
func (f *Faults) Add(format string, args ...any) {
	*f = append(*f, fmt.Errorf("tasklab: "+format, args...))
}

// Require adds a fault unless ok.
func (f *Faults) Require(ok bool, format string, args ...any) {
	if !ok {
		f.Add(format, args...)
	}
}

// RequireDirectory adds a fault unless the value of the flag -dir is a directory.
func (f *Faults) RequireDirectory(dir string) {
	if info, err := os.Stat(dir); err != nil {
		f.Add("-dir: %w", err)
	} else {
		f.Require(info.IsDir(), "-dir: %s is not a directory", dir)
	}
}

// Err returns the faults as one error, or nil if there are none.
func (f Faults) Err() error { return errors.Join(f...) }
