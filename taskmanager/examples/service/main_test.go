package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/taskmanager"
)

// terminated runs the service with two tasks, has the process receive SIGTERM while they are
// under way, and calls meanwhile when the service has stopped listening.
func terminated(t *testing.T, work work, grace time.Duration, meanwhile func()) error {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself SIGTERM there")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run(listener, work, grace) }()

	for _, name := range []string{"a", "b"} {
		resp, err := http.Post("http://"+listener.Addr().String()+"/tasks/"+name, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("POST: got %s, want 202", resp.Status)
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGTERM) // run heeds it: its server has answered
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		connection, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		_ = connection.Close()
	}
	meanwhile()
	return <-ended
}

func TestSIGTERMFinishesTheTasks(t *testing.T) {
	defer goleak.VerifyNone(t)
	finish, finished := make(chan struct{}), make(chan struct{}, 2)
	err := terminated(t, func(ctx context.Context, _ func(float64)) error {
		select {
		case <-finish:
			finished <- struct{}{}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, time.Minute, func() { close(finish) })
	if err != nil || len(finished) != 2 {
		t.Errorf("%d of 2 tasks finished; run returned %v, want nil", len(finished), err)
	}
}

func TestTasksThatTakeTooLongAreCancelled(t *testing.T) {
	defer goleak.VerifyNone(t)
	err := terminated(t, func(ctx context.Context, _ func(float64)) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}, 50*time.Millisecond, func() {})
	late, ok := errors.AsType[*taskmanager.DrainError](err)
	if !ok {
		t.Fatalf("run returned %v, want a *DrainError", err)
	}
	all := slices.Sorted(slices.Values(slices.Concat(late.Cancelled, late.Running))) // a task may have ended by now
	if diff := cmp.Diff([]string{"a", "b"}, all); diff != "" {
		t.Errorf("cancelled (-want +got):\n%s", diff)
	}
}
