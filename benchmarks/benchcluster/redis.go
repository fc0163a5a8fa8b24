package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// redisServer is a private server with its data in a directory.
type redisServer struct {
	address string
	command *exec.Cmd
}

// startRedis starts Redis on the loopback interface with an append-only file.
func startRedis(ctx context.Context, parent string) (*redisServer, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("there is no Redis: install it (Debian: redis-server), or put redis-server into the PATH: %w", err)
	}
	dir := filepath.Join(parent, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &redisServer{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	// It would rewrite the file in the middle of a measurement, and take snapshots.
	r.command = exec.Command(path, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir,
		"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0", "--save", "")
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return r, errors.Join(awaitPort(ctx, r.address))
}

func (r *redisServer) stop() error {
	err := r.command.Process.Signal(os.Interrupt)
	_ = r.command.Wait() // it says that it was interrupted
	return err
}

// freePort returns a port of the loopback interface that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// awaitPort waits until somebody listens.
func awaitPort(ctx context.Context, address string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("nobody listens on %s: %w", address, err)
		}
	}
}
