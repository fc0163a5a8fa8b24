module example.com/dependency

go 1.26.0

// Whatever version it is, the program replaces it.
require github.com/plexsysio/taskmanager v0.0.1
