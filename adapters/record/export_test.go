package record

// File is a file of [NewOn].
type File = file

// NewOn is New on a file system of the test.
func NewOn(cfg Config, to files) (*Recorder, error) { return newRecorder(cfg, to) }

// Remembered returns of how many workers r knows the last execution.
func (r *Recorder) Remembered() int {
	r.gaps.mu.Lock()
	defer r.gaps.mu.Unlock()
	return len(r.gaps.ends)
}
