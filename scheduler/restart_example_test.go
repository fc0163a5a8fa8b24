package scheduler_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler"
)

// Conditions to give up go around a policy that says when.
func ExampleRestartPolicy() {
	passes := func(err error) bool { return !errors.Is(err, fs.ErrPermission) }
	policy := scheduler.When(passes, // do not insist
		scheduler.MaxAttempts(5, // nor for ever
			scheduler.Exponential(100*time.Millisecond, time.Minute)))

	for _, f := range []scheduler.Failure{
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

// busy is an error that says when to come again.
type busy struct{ again time.Duration }

func (b busy) Error() string { return fmt.Sprintf("busy for %v", b.again) }

func ExampleRestartFunc() {
	otherwise := scheduler.DefaultRestart()
	policy := scheduler.RestartFunc(func(f scheduler.Failure) (time.Duration, bool) {
		if b, ok := errors.AsType[busy](f.Err); ok {
			return b.again, true
		}
		return otherwise.Next(f)
	})
	fmt.Println(policy.Next(scheduler.Failure{Attempt: 1, Err: busy{3 * time.Second}}))
	fmt.Println(policy.Next(scheduler.Failure{Attempt: 1, Err: fs.ErrNotExist}))
	// Output:
	// 3s true
	// 0s true
}

func ExampleDecorrelated() {
	policy := scheduler.Decorrelated(time.Second, time.Minute)
	f := scheduler.Failure{Rand: rand.New(rand.NewPCG(1, 2))} // the same delays each time
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

// What crashes more than three times within a minute is broken.
func ExampleIntensity() {
	policy := scheduler.Intensity(3, time.Minute, scheduler.Constant(time.Second))
	for recent := range 5 { // a manager counts them
		delay, ok := policy.Next(scheduler.Failure{Attempt: recent + 1, Recent: recent})
		fmt.Println(recent, "restarts in the last minute:", delay, ok)
	}
	// Output:
	// 0 restarts in the last minute: 1s true
	// 1 restarts in the last minute: 1s true
	// 2 restarts in the last minute: 1s true
	// 3 restarts in the last minute: 0s false
	// 4 restarts in the last minute: 0s false
}

// Twenty restarts at a time, and one more for each ten tasks that start, over all
// tasks together.
func ExampleBudget() {
	policy := scheduler.Budget(0.1, 20, scheduler.DefaultRestart())
	restarts := func(starts uint64, failures int) (n int) { // a manager counts the starts
		for range failures {
			if _, ok := policy.Next(scheduler.Failure{Attempt: 1, Starts: starts}); ok {
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

// What is wrong with the arguments is reported when the policy is used, all
// together.
func ExampleMaxAttempts_badArguments() {
	policy := scheduler.MaxAttempts(0, scheduler.Constant(-time.Second))
	fmt.Println(policy.(queue.Validator).Validate())
	// Output:
	// scheduler: MaxAttempts: the number of attempts is 0; it must be 1 or more, the first run included
	// scheduler: Constant: the delay is -1s; it must be positive, or 0 for at once
}
