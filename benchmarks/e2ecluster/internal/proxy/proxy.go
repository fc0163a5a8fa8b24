// Package proxy is a TCP proxy that can swallow what it carries: a partition that neither side notices, because no
// connection is closed.
package proxy

import (
	"net"
	"sync"
)

// Proxy passes bytes between its clients and one address. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	tasks    sync.WaitGroup
	closed   chan struct{}

	mu    sync.Mutex
	open  chan struct{} // closed while bytes pass; guarded by mu
	conns map[net.Conn]bool
}

// Listen starts a proxy on the loopback interface that passes bytes to target. Call Close at the end.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, closed: make(chan struct{}), open: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(p.open)
	p.tasks.Go(p.accept)
	return p, nil
}

// Addr returns the address at which the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut stops passing bytes, in both directions, until Mend. Connections stay open, and new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default: // it is cut
	}
}

// Mend passes bytes again, first those that came meanwhile.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// Drop closes all connections. New ones are accepted.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Close closes everything and waits until the proxy has ended.
func (p *Proxy) Close() {
	close(p.closed)
	_ = p.listener.Close()
	p.Drop()
	p.tasks.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.serve(client) })
	}
}

// serve connects to the target when bytes pass, and copies until either side closes.
func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	if !p.know(client) || !p.wait() {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.know(server) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.copy(client, server) })
	p.copy(server, client)
	back.Wait()
}

// copy copies from one connection to the other, and closes both at the end.
func (p *Proxy) copy(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.wait() {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// wait waits until bytes pass. It reports false once the proxy is closed.
func (p *Proxy) wait() bool {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	select {
	case <-open:
		return true
	case <-p.closed:
		return false
	}
}

// know keeps a connection for Drop. It reports false once the proxy is closed.
func (p *Proxy) know(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	select {
	case <-p.closed: // Drop of Close may have been before
		return false
	default:
		return true
	}
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close()
}
