// A program that uses packages of the root module.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func main() {
	m, err := taskmanager.Start(taskmanager.WithLogger(logging.Slog(slog.New(slog.NewTextHandler(os.Stderr, nil)))))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	h, err := m.SubmitFunc(ctx, "hello", func(context.Context) error { fmt.Println("hello"); return nil })
	if err != nil {
		log.Fatal(err)
	}
	if err := h.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	if err := m.Stop(ctx); err != nil {
		log.Fatal(err)
	}
}
