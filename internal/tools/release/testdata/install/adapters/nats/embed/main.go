// A program that stores a message in a server of its own.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "embed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := embed.Start(embed.Options{Dir: dir})
	if err != nil {
		return err
	}
	nc, err := server.Conn()
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		return err
	}
	if _, err := js.Publish(ctx, "s", []byte("stored")); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return server.Stop(ctx)
}
