// A program that serves a dashboard of a cluster with a waiting task.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/adapters/nats/cluster"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "cluster")
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
	c, err := nats.Open(ctx, nc)
	if err != nil {
		return err
	}
	if _, err := nats.Submit(ctx, c, "thumbnails/42", 42, nats.WithKind("thumbnail")); err != nil {
		return err
	}
	board := dashboard.New(dashboard.Cluster("shop", cluster.Source(c)))
	r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/cluster", nil)
	w := httptest.NewRecorder()
	board.ServeHTTP(w, r)
	board.Close()
	c.Close()
	nc.Close()
	if err := server.Stop(ctx); err != nil {
		return err
	}
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "thumbnail") {
		return fmt.Errorf("status %d, %s", w.Code, w.Body)
	}
	fmt.Println(w.Body)
	return nil
}
