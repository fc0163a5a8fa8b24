package proxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo listens and returns to each client what it sends.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a byte and reports the error of reading it back.
func ask(t *testing.T, c net.Conn, patience time.Duration) error {
	t.Helper()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestCutKeepsConnectionsOpenAndMendDeliversWhatWasSent(t *testing.T) {
	p, err := proxy.Listen(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := dial(t, p)
	if err := ask(t, c, time.Minute); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	p.Cut()
	if err := ask(t, c, 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut: %v", err)
	}
	if err := ask(t, dial(t, p), 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a new connection, cut: %v", err)
	}
	p.Mend()
	p.Mend()
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("what was sent before is lost: %v", err)
	}
	p.Drop()
	if err := ask(t, c, time.Minute); err == nil {
		t.Error("the connection is open after Drop")
	}
	if err := ask(t, dial(t, p), time.Minute); err != nil {
		t.Errorf("a new connection after Drop: %v", err)
	}
}

func TestCloseEndsWhatIsCut(t *testing.T) {
	p, err := proxy.Listen(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, p)
	p.Cut()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("the proxy still listens")
	}
}
