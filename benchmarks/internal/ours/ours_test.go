package ours_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
	"github.com/seed56799101/taskmanager/benchmarks/internal/ours"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The other tasks of a crowded manager do not keep its tasks from running, and end with it.
func TestOpenCrowded(t *testing.T) {
	s, err := ours.OpenCrowded(ours.SubmitFunc, 2, 100, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drive.Timed(s, 1, 100, nil); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	if _, err := ours.Open("Nowhere.Submit", 2, 1, 1); err == nil || !strings.Contains(err.Error(), `no way "Nowhere.Submit"`) {
		t.Errorf("an unknown way: %v", err)
	}
	if _, err := ours.Open(ours.PoolSubmit, -1, 1, 1); err == nil {
		t.Error("a negative number of workers is no error")
	}
	if _, err := ours.OpenCrowded(ours.PoolSubmit, 2, 1, 1); err == nil || !strings.Contains(err.Error(), "has no names") {
		t.Errorf("a pool with other tasks: %v", err)
	}
}
