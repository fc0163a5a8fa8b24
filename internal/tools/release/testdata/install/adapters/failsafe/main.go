// A program that retries a task with a policy of failsafe-go.
package main

import (
	"context"
	"errors"
	"log"

	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/seed56799101/taskmanager/adapters/failsafe"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	retries := failsafego.With(retrypolicy.NewWithDefaults[any]())
	m, err := taskmanager.Start(taskmanager.WithMiddleware(failsafe.Middleware(retries)))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	attempts := 0
	h, err := m.SubmitFunc(ctx, "unreliable", func(context.Context) error {
		if attempts++; attempts == 1 {
			return errors.New("try again")
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := h.Wait(ctx); err != nil || attempts != 2 {
		log.Fatalf("%d attempts: %v", attempts, err)
	}
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
}
