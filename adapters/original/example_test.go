package taskmanager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/plexsysio/taskmanager"
)

// A program that was written for the original.
func Example() {
	m := taskmanager.New(1, 10, time.Minute, nil)
	started, err := m.GoFunc("mail/1", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		log.Fatal(err)
	}
	<-started
	status := m.TaskStatus()["mail/1"]
	fmt.Println(status.Name, status.Status)

	_, err = m.GoFunc("mail/1", func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, taskmanager.ErrAlreadyExists))

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(m.Stop(ctx))
	// Output:
	// mail/1 running
	// true
	// <nil>
}
