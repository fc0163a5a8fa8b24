//go:build linux

package e2ecluster_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed56799101/taskmanager/benchmarks/e2ecluster/internal/ledger"
)

// patience is the time limit for what should take no more than seconds.
const patience = 60 * time.Second

// process is a running child.
type process struct {
	t       testing.TB
	name    string
	command *exec.Cmd
	input   io.WriteCloser
	ready   chan string // what it says when it is ready
	ended   chan struct{}
	account *ledger.Writer
}

// spawn starts a child and does not wait until it is ready. The child is killed when the test ends, or when the
// process of the test does.
func (c *cluster) spawn(role, name string, args ...string) *process {
	c.t.Helper()
	p := &process{t: c.t, name: name, ready: make(chan string, 1), ended: make(chan struct{}), account: c.account}
	p.command = exec.Command(program, append([]string{role, "-process", name, "-ledger", c.path}, args...)...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p.command.Stderr = log
	if p.input, err = p.command.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	output, err := p.command.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.account.Write(ledger.Line{Event: ledger.Launch, Process: name})
	if err := p.command.Start(); err != nil {
		c.t.Fatal(err)
	}
	go p.watch(output)
	c.t.Cleanup(p.dump)
	return p
}

// dump kills the process. If the test has failed, the process first writes its goroutines to its log, unless it stands still.
func (p *process) dump() {
	if p.t.Failed() && *keep != "" && !p.hasEnded() {
		_ = p.command.Process.Signal(syscall.SIGQUIT) // it may have ended
		select {
		case <-p.ended:
		case <-time.After(2 * time.Second):
		}
	}
	p.kill()
}

// watch reads what the child says, and writes down its end.
func (p *process) watch(output io.Reader) {
	defer close(p.ended)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "READY "); ok {
			p.ready <- text
		}
	}
	_ = p.command.Wait()
	event := ledger.Exit
	if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		event = ledger.Kill
	}
	p.account.Write(ledger.Line{Event: event, Process: p.name, Text: p.command.ProcessState.String()})
}

// start starts a child and waits until it is ready.
func (c *cluster) start(role, name string, args ...string) *process {
	c.t.Helper()
	p := c.spawn(role, name, args...)
	p.awaitReady()
	return p
}

// awaitReady returns what the child says when it is ready.
func (p *process) awaitReady() string {
	p.t.Helper()
	select {
	case text := <-p.ready:
		return text
	case <-p.ended:
		select {
		case text := <-p.ready: // it was ready, and has ended since
			return text
		default:
		}
		p.t.Fatalf("%s has ended before it was ready: %v", p.name, p.command.ProcessState)
	case <-time.After(patience):
		p.t.Fatalf("%s does not become ready", p.name)
	}
	return ""
}

// note writes a line about the process.
func (p *process) note(e ledger.Event) {
	p.account.Write(ledger.Line{Event: e, Process: p.name})
}

// kill kills the process, whether it stands still or not, and waits for its end.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// freeze lets the process stand still until thaw, and waits until it does.
func (p *process) freeze() {
	p.t.Helper()
	p.note(ledger.Freeze)
	p.signal(syscall.SIGSTOP)
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, p.command.Process.Pid, &info, unix.WSTOPPED, nil)
		if !errors.Is(err, unix.EINTR) {
			return // any other error means that it has ended
		}
	}
}

func (p *process) thaw() {
	p.t.Helper()
	p.note(ledger.Thaw)
	p.signal(syscall.SIGCONT)
}

// terminate asks the process to end, and does not wait.
func (p *process) terminate() {
	p.t.Helper()
	p.note(ledger.Term)
	p.signal(syscall.SIGTERM)
}

// signal sends a signal, unless the process has just ended by itself.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("%s: %v: %v", p.name, s, err)
	}
}

// send sends a line.
func (p *process) send() {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.input); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// wait waits until the process has ended by itself.
func (p *process) wait() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
}

// hasEnded reports whether the process has ended.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
