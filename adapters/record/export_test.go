package record

// File is a file of [NewOn].
type File = file

// NewOn is New on a file system of the test.
func NewOn(cfg Config, to files) (*Recorder, error) { return newRecorder(cfg, to) }
