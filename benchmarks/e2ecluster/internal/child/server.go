package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/adapters/logging"
	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// serve is the role of a server.
func serve(ctx context.Context, s settings) error {
	options := embed.Options{
		Name: s.process, Dir: s.dir, SyncInterval: s.sync, Listen: s.listen, Token: s.token, MaxStore: s.maxStore,
		Logger: logging.Slog(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if s.clusterListen != "" {
		options.Cluster = &embed.Cluster{Name: "e2e", Listen: s.clusterListen, Routes: strings.Split(s.routes, ","), User: "route", Password: s.token}
	}
	server, err := embed.Start(options)
	if err != nil {
		return err
	}
	ready(server.URL())
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Stop(last)
}
