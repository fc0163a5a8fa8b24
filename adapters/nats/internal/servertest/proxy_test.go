package servertest_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy is a TCP proxy before a server, which can keep back what the server sends.
type proxy struct {
	URL string

	mu    sync.Mutex // guards the rest
	open  *sync.Cond // no longer muted, or closed
	muted bool
	kept  int // how often something was kept back
	done  bool
	conns map[net.Conn]struct{}
}

// before returns a proxy before the server of a URL. It ends at the end of the test.
func before(t *testing.T, to string) *proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := u.Host
	u.Host = l.Addr().String()
	p := &proxy{URL: u.String(), conns: map[net.Conn]struct{}{}}
	p.open = sync.NewCond(&p.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(in, target, &wg) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.done = true
		p.mu.Unlock()
		p.Cut()
		wg.Wait()
	})
	return p
}

func (p *proxy) serve(in net.Conn, target string, wg *sync.WaitGroup) {
	out, err := net.Dial("tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	p.mu.Lock()
	p.conns[in], p.conns[out] = struct{}{}, struct{}{}
	done := p.done
	p.mu.Unlock()
	if done {
		_, _ = in.Close(), out.Close()
	}
	wg.Go(func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := out.Read(buf)
		if err != nil {
			break
		}
		p.wait()
		if _, err := in.Write(buf[:n]); err != nil {
			break
		}
	}
	_, _ = in.Close(), out.Close()
}

func (p *proxy) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.muted {
		p.kept++
	}
	for p.muted && !p.done {
		p.open.Wait()
	}
}

// Kept tells how often something was kept back.
func (p *proxy) Kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

// Mute keeps back what the server sends from now on.
func (p *proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// Unmute sends what was kept back.
func (p *proxy) Unmute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = false
	p.open.Broadcast()
}

// Cut ends all connections, with what was kept back, and the muteness.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
	p.muted = false
	p.open.Broadcast()
}
