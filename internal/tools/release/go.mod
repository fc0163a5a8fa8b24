module github.com/seed56799101/taskmanager/internal/tools/release

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/mod v0.43.0
)
