// Package web serves the dashboard of tasklab over HTTP.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
)

// Server serves a dashboard until Close.
type Server struct {
	// URL is the address of the page.
	URL string

	board  *dashboard.Dashboard
	server http.Server
	served chan error
}

// Serve listens on an address, such as 127.0.0.1:8080, and serves a dashboard there. With the port 0 the
// system chooses one. If it cannot listen, it closes the dashboard.
func Serve(address string, board *dashboard.Dashboard) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		board.Close()
		return nil, fmt.Errorf("tasklab: the dashboard: %w; name another address", err)
	}
	s := &Server{
		URL:    "http://" + listener.Addr().String() + "/",
		board:  board,
		server: http.Server{Handler: board, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		served: make(chan error, 1),
	}
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// Close ends the streams of the dashboard, and waits a second for other requests.
func (s *Server) Close() error {
	s.board.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Loopback returns an error unless an address can be reached from this machine only. The name of the
// host must be an IP address or localhost.
func Loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w; an address is HOST:PORT, such as 127.0.0.1:8080", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s can be reached from other machines", address)
	}
	return nil
}
