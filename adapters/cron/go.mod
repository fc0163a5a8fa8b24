module github.com/seed56799101/taskmanager/adapters/cron

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/netresearch/go-cron v0.9.1
	github.com/seed56799101/taskmanager v0.0.0
	go.uber.org/goleak v1.3.0
)

replace github.com/seed56799101/taskmanager => ../../
