package failsafe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/seed56799101/taskmanager/adapters/failsafe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

// At most two tasks run in an hour; further tasks fail at once. WithMaxWaitTime would make them
// wait instead.
func ExampleMiddleware_rateLimiter() {
	limiter := ratelimiter.NewBursty[any](2, time.Hour)
	m, err := taskmanager.Start(taskmanager.WithMiddleware(
		failsafe.Middleware(failsafego.With(limiter)),
	))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for i := range 3 {
		h, err := m.SubmitFunc(ctx, fmt.Sprintf("mail/%d", i), func(context.Context) error { return nil })
		if err != nil {
			log.Fatal(err)
		}
		err = h.Wait(ctx)
		fmt.Println(h.Name(), err, errors.Is(err, ratelimiter.ErrExceeded))
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// mail/0 <nil> false
	// mail/1 <nil> false
	// mail/2 rate limit exceeded true
	// <nil>
}

// After two failed uploads in a row, uploads fail at once for a minute. Other tasks are not
// affected.
func ExampleMiddleware_circuitBreaker() {
	breaker := circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(2).
		WithDelay(time.Minute).
		Build()
	protect := failsafe.Middleware(failsafego.With(breaker))
	onlyUploads := func(next taskmanager.Runner) taskmanager.Runner {
		protected := protect(next)
		return func(ctx context.Context, h *taskmanager.Handle) error {
			if strings.HasPrefix(h.Name(), "upload/") {
				return protected(ctx, h)
			}
			return next(ctx, h)
		}
	}
	m, err := taskmanager.Start(taskmanager.WithMiddleware(onlyUploads))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, name := range []string{"upload/1", "upload/2", "upload/3", "tidy"} {
		h, err := m.SubmitFunc(ctx, name, func(context.Context) error { return errors.New("no network") })
		if err != nil {
			log.Fatal(err)
		}
		err = h.Wait(ctx)
		fmt.Printf("%s: %v (open: %t)\n", name, err, errors.Is(err, circuitbreaker.ErrOpen))
	}
	fmt.Println(m.Stop(ctx))
	// Output:
	// upload/1: no network (open: false)
	// upload/2: no network (open: false)
	// upload/3: circuit breaker open (open: true)
	// tidy: no network (open: false)
	// <nil>
}
