package taskmanager_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/plexsysio/taskmanager"

	current "github.com/seed56799101/taskmanager/taskmanager"
)

// The exported API of the original: this file compiles if it is all here, with the same
// signatures.
var (
	_ func(minCount, maxCount int, timeout time.Duration, log taskmanager.Logger) *taskmanager.TaskManager = taskmanager.New

	_ func(*taskmanager.TaskManager, taskmanager.Task) (<-chan struct{}, error)                    = (*taskmanager.TaskManager).Go
	_ func(*taskmanager.TaskManager, string, func(context.Context) error) (<-chan struct{}, error) = (*taskmanager.TaskManager).GoFunc
	_ func(*taskmanager.TaskManager) map[int32]taskmanager.WorkerInfo                              = (*taskmanager.TaskManager).Status
	_ func(*taskmanager.TaskManager, context.Context) error                                        = (*taskmanager.TaskManager).Stop
	_ func(*taskmanager.TaskManager) map[string]taskmanager.TaskStatus                             = (*taskmanager.TaskManager).TaskStatus
	_ func(taskmanager.WorkerStatus) string                                                        = taskmanager.WorkerStatus.String
	_ error                                                                                        = taskmanager.ErrAlreadyExists
	_ interface {
		Execute(ctx context.Context) error
		Name() string
	} = taskmanager.Task(nil)
	_ interface {
		taskmanager.Task
		Progress() (float64, error)
		Description() string
	} = taskmanager.TaskWithProgress(nil)
	_ interface {
		taskmanager.Task
		Restart(ctx context.Context, err error) bool
	} = taskmanager.RestartableTask(nil)
	_ interface {
		Infof(format string, args ...any)
		Info(args ...any)
		Errorf(format string, args ...any)
		Error(args ...any)
	} = taskmanager.Logger(nil)

	_ = taskmanager.WorkerInfo{TaskName: "", Status: taskmanager.Waiting}
	_ = taskmanager.TaskStatus{
		Name:        "",
		Worker:      int32(0),
		Status:      taskmanager.NotAssigned,
		Description: "",
		Progress:    float64(0),
		Restarts:    int(0),
	}

	// Values of one module are values of the other.
	_ *current.TaskManager = (*taskmanager.TaskManager)(nil)
	_ current.Task         = taskmanager.Task(nil)
)

// A program may implement the interfaces with no more than the original's methods.
type (
	task       struct{}
	progress   struct{ task }
	restarting struct{ task }
	logger     struct{}
)

func (task) Execute(context.Context) error { return nil }
func (task) Name() string                  { return "task" }

func (progress) Progress() (float64, error) { return 0, nil }
func (progress) Description() string        { return "" }

func (restarting) Restart(context.Context, error) bool { return false }

func (logger) Infof(string, ...any)  {}
func (logger) Info(...any)           {}
func (logger) Errorf(string, ...any) {}
func (logger) Error(...any)          {}

var (
	_ taskmanager.Task             = task{}
	_ taskmanager.TaskWithProgress = progress{}
	_ taskmanager.RestartableTask  = restarting{}
	_ taskmanager.Logger           = logger{}
)

func TestStatusTexts(t *testing.T) {
	got := []taskmanager.WorkerStatus{taskmanager.NotAssigned, taskmanager.Waiting, taskmanager.Running, taskmanager.Restarted}
	want := []taskmanager.WorkerStatus{"not assigned", "waiting", "running", "restarted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
