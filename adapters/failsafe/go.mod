module github.com/seed56799101/taskmanager/adapters/failsafe

go 1.26

require (
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/google/go-cmp v0.7.0
	github.com/seed56799101/taskmanager v0.0.0
	go.uber.org/goleak v1.3.0
)

require github.com/bits-and-blooms/bitset v1.24.4 // indirect

replace github.com/seed56799101/taskmanager => ../../
