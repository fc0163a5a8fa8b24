module github.com/seed56799101/taskmanager

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	pgregory.net/rapid v1.3.0
)

require go.uber.org/goleak v1.3.0
