//go:build unix

package taskmanager_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// On SIGTERM the program finishes its tasks, but takes no longer than 20 seconds.
func ExampleTaskManager_Drain_signals() {
	terminate, ignore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	m, err := taskmanager.Start(taskmanager.WithWorkers(1, 1))
	if err != nil {
		log.Fatal(err)
	}
	for n := range 3 {
		if _, err := m.Submit(context.Background(), report{"mail", n + 1}); err != nil {
			log.Fatal(err)
		}
	}

	// A real program receives this signal from its orchestrator, or from Ctrl-C.
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		log.Fatal(err)
	}
	<-terminate.Done()
	ignore() // a second signal terminates the program at once

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	fmt.Println(m.Drain(ctx)) // if time runs out, the error names the cancelled tasks
	// Output:
	// mail/1
	// mail/2
	// mail/3
	// <nil>
}
