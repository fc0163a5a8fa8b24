package restart_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// Decorators add conditions to give up to a policy that chooses the delays.
func ExamplePolicy() {
	passes := func(err error) bool { return !errors.Is(err, fs.ErrPermission) }
	policy := restart.When(passes, // give up at once
		restart.MaxAttempts(5, // give up in the end
			restart.Exponential(100*time.Millisecond, time.Minute)))

	for _, f := range []restart.Failure{
		{Attempt: 1, Err: fs.ErrNotExist},
		{Attempt: 5, Err: fs.ErrNotExist},
		{Attempt: 1, Err: fs.ErrPermission},
	} {
		delay, ok := policy.Next(f)
		fmt.Println(f.Attempt, f.Err, "->", delay, ok)
	}
	// Output:
	// 1 file does not exist -> 0s true
	// 5 file does not exist -> 0s false
	// 1 permission denied -> 0s false
}

// busy is an error that tells when to try again.
type busy struct{ again time.Duration }

func (b busy) Error() string { return fmt.Sprintf("busy for %v", b.again) }

func ExampleFunc() {
	otherwise := restart.Default()
	policy := restart.Func(func(f restart.Failure) (time.Duration, bool) {
		if b, ok := errors.AsType[busy](f.Err); ok {
			return b.again, true
		}
		return otherwise.Next(f)
	})
	fmt.Println(policy.Next(restart.Failure{Attempt: 1, Err: busy{3 * time.Second}}))
	fmt.Println(policy.Next(restart.Failure{Attempt: 1, Err: fs.ErrNotExist}))
	// Output:
	// 3s true
	// 0s true
}

func ExampleDecorrelated() {
	policy := restart.Decorrelated(time.Second, time.Minute)
	f := restart.Failure{Rand: rand.New(rand.NewPCG(1, 2))} // the same delays each time
	for f.Attempt = 1; f.Attempt <= 5; f.Attempt++ {
		f.Previous, _ = policy.Next(f)
		fmt.Println(f.Previous.Round(time.Second))
	}
	// Output:
	// 3s
	// 5s
	// 12s
	// 29s
	// 15s
}

// A task that needs more than three restarts within a minute is given up.
func ExampleIntensity() {
	policy := restart.Intensity(3, time.Minute, restart.Constant(time.Second))
	for recent := range 5 { // a manager counts the restarts
		delay, ok := policy.Next(restart.Failure{Attempt: recent + 1, Recent: recent})
		fmt.Println(recent, "restarts in the last minute:", delay, ok)
	}
	// Output:
	// 0 restarts in the last minute: 1s true
	// 1 restarts in the last minute: 1s true
	// 2 restarts in the last minute: 1s true
	// 3 restarts in the last minute: 0s false
	// 4 restarts in the last minute: 0s false
}

// All tasks together may restart twenty times, and once more for each ten executions that
// start.
func ExampleBudget() {
	policy := restart.Budget(0.1, 20, restart.Default())
	restarts := func(starts uint64, failures int) (n int) { // a manager counts the starts
		for range failures {
			if _, ok := policy.Next(restart.Failure{Attempt: 1, Starts: starts}); ok {
				n++
			}
		}
		return n
	}
	fmt.Println("all of 100 tasks fail:", restarts(100, 100), "restart")
	fmt.Println("50 more start, and fail:", restarts(150, 50), "restart")
	// Output:
	// all of 100 tasks fail: 20 restart
	// 50 more start, and fail: 5 restart
}

// Validate reports all invalid arguments at once. A manager calls it when the policy is
// set.
func ExampleMaxAttempts_badArguments() {
	policy := restart.MaxAttempts(0, restart.Constant(-time.Second))
	fmt.Println(policy.(interface{ Validate() error }).Validate())
	// Output:
	// restart: MaxAttempts: the number of attempts is 0; it must be 1 or more, the first run included
	// restart: Constant: the delay is -1s; it must be positive, or 0 for at once
}
