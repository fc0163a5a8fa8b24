package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// childEnv holds the options of a server, as JSON, for a process that is to be that server.
const childEnv = "BENCHCLUSTER_SERVER"

// serverOptions describe a server of a cluster, or one without a cluster if there is one route.
type serverOptions struct {
	Name, Dir string
	Interval  time.Duration
	Routes    []string // the addresses of all servers
	Listen    string   // that of this one
}

func (o serverOptions) start() (*embed.Server, error) {
	options := embed.Options{Name: o.Name, Dir: o.Dir, SyncInterval: o.Interval, Listen: "127.0.0.1:0", Token: "benchcluster"}
	if len(o.Routes) > 1 {
		options.Cluster = &embed.Cluster{Name: "bench", Listen: o.Listen, Routes: o.Routes, User: "bench", Password: "bench"}
	}
	return embed.Start(options)
}

// serveIfChild runs a server until the standard input ends, if this process is a child of startChildren. So the server
// ends with its parent, however that ends.
func serveIfChild() (served bool, err error) {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		return false, nil
	}
	var options serverOptions
	if err := json.Unmarshal([]byte(text), &options); err != nil {
		return true, err
	}
	server, err := options.start()
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.Ready(ctx); err != nil {
		return true, err
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true, server.Stop(ctx)
}

// startChildren starts servers in processes of their own. stop is not nil, also if there is an error.
func startChildren(ctx context.Context, dir string, interval time.Duration, n int) (urls []string, stop func() error, err error) {
	var children []*child
	stop = func() error {
		var errs []error
		for _, c := range children {
			errs = append(errs, c.stop())
		}
		return errors.Join(errs...)
	}
	routes := make([]string, n)
	for i := range routes {
		port, err := freePort()
		if err != nil {
			return nil, stop, err
		}
		routes[i] = fmt.Sprint("127.0.0.1:", port)
	}
	for i := range n {
		name := fmt.Sprint("server", i)
		options := serverOptions{Name: name, Dir: filepath.Join(dir, name), Interval: interval, Routes: routes, Listen: routes[i]}
		c, err := startChild(ctx, options)
		if err != nil {
			return nil, stop, err
		}
		children = append(children, c)
	}
	for _, c := range children {
		url, err := c.url()
		if err != nil {
			return nil, stop, err
		}
		urls = append(urls, url)
	}
	return urls, stop, nil
}

// child is a server in a process of its own.
type child struct {
	command *exec.Cmd
	stdin   io.Closer
	stdout  *bufio.Reader
}

func startChild(ctx context.Context, options serverOptions) (*child, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.CommandContext(ctx, self)}
	c.command.Env = append(os.Environ(), childEnv+"="+string(text))
	c.command.Stderr = os.Stderr
	stdin, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	return c, c.command.Start()
}

// url waits until the server is ready.
func (c *child) url() (string, error) {
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the server in a child process did not start: %w", err)
	}
	return strings.TrimSpace(line), nil
}

func (c *child) stop() error { return errors.Join(c.stdin.Close(), c.command.Wait()) }
