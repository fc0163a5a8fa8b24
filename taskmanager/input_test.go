package taskmanager_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed56799101/taskmanager/queue"
	"github.com/seed56799101/taskmanager/scheduler/restart"
	"github.com/seed56799101/taskmanager/taskmanager"
)

func TestSubmitRefusesBadInput(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	var typedNil *task
	tests := []struct {
		name   string
		submit func() error
		want   error
	}{
		{"nil task to Go", func() error { _, err := m.Go(nil); return err }, taskmanager.ErrNilTask},
		{"nil task to Submit", func() error { _, err := m.Submit(ctx, nil); return err }, taskmanager.ErrNilTask},
		{"nil closure to GoFunc", func() error { _, err := m.GoFunc("a", nil); return err }, taskmanager.ErrNilTask},
		{"nil closure to SubmitFunc", func() error { _, err := m.SubmitFunc(ctx, "a", nil); return err }, taskmanager.ErrNilTask},
		{"empty name of a task", func() error { _, err := m.Go(&task{}); return err }, taskmanager.ErrEmptyName},
		{"empty name of a closure", func() error { _, err := m.GoFunc("", untilCancelled); return err }, taskmanager.ErrEmptyName},
		{"nil context", func() error {
			_, err := m.Submit(nil, &task{name: "a"}) //nolint:staticcheck // the fault under test
			return err
		}, taskmanager.ErrNilContext},
		{"cancelled context", func() error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := m.Submit(ctx, &task{name: "a"})
			return err
		}, context.Canceled},
		{"nil pointer in the interface", func() error { _, err := m.Go(typedNil); return err }, nil},
		{"nil option", func() error { _, err := m.Submit(ctx, &task{name: "a"}, nil); return err }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.submit()
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if !strings.HasPrefix(err.Error(), "taskmanager: ") {
				t.Errorf("the text %q does not say where it comes from", err)
			}
		})
	}
	if got := m.TaskStatus(); len(got) != 0 {
		t.Errorf("refused tasks are listed: %v", got)
	}
}

func TestStopAndWaitRefuseANilContext(t *testing.T) {
	m := start(t)
	h := submitFunc(t, m, "a", untilCancelled)
	if err := m.Stop(nil); !errors.Is(err, taskmanager.ErrNilContext) { //nolint:staticcheck // the fault under test
		t.Errorf("Stop(nil) returned %v, want ErrNilContext", err)
	}
	if err := h.Wait(nil); !errors.Is(err, taskmanager.ErrNilContext) { //nolint:staticcheck // the fault under test
		t.Errorf("Wait(nil) returned %v, want ErrNilContext", err)
	}
}

func TestErrAlreadyExistsHasTheName(t *testing.T) {
	m := start(t)
	submitFunc(t, m, "thumbnails/42", untilCancelled)
	_, err := m.SubmitFunc(t.Context(), "thumbnails/42", untilCancelled)
	if !errors.Is(err, taskmanager.ErrAlreadyExists) || !strings.Contains(err.Error(), `"thumbnails/42"`) {
		t.Errorf("Submit of a duplicate returned %v, want ErrAlreadyExists with the name", err)
	}
	if _, err := m.GoFunc("thumbnails/42", untilCancelled); err != taskmanager.ErrAlreadyExists { //nolint:errorlint // == is documented to work
		t.Errorf("GoFunc of a duplicate returned %v, want ErrAlreadyExists itself", err)
	}
}

func TestImpossibleOptionsAreErrors(t *testing.T) {
	tests := []struct {
		name string
		opts []taskmanager.Option
		want []string // parts of the error's text
	}{
		{"max 0", []taskmanager.Option{taskmanager.WithWorkers(0, 0)}, []string{"WithWorkers", "maximum is 0"}},
		{"min negative", []taskmanager.Option{taskmanager.WithWorkers(-1, 1)}, []string{"minimum is -1"}},
		{"min above max", []taskmanager.Option{taskmanager.WithWorkers(3, 2)}, []string{"minimum, 3, exceeds the maximum, 2"}},
		{"max beyond all bounds", []taskmanager.Option{taskmanager.WithWorkers(1, math.MaxInt)}, []string{"at most"}},
		{"timeout 0", []taskmanager.Option{taskmanager.WithIdleTimeout(0)}, []string{"WithIdleTimeout", "0s"}},
		{"timeout negative", []taskmanager.Option{taskmanager.WithIdleTimeout(-time.Second)}, []string{"-1s"}},
		{"limit negative", []taskmanager.Option{taskmanager.WithLimit(-1, taskmanager.Block)}, []string{"WithLimit", "-1"}},
		{"overflow unknown", []taskmanager.Option{taskmanager.WithLimit(1, 99)}, []string{"overflow policy Overflow(99)"}},
		{"limit of a key of 0", []taskmanager.Option{taskmanager.WithKeyQueueLimit(0, taskmanager.Reject)}, []string{"WithKeyQueueLimit", "limit is 0"}},
		{"limit of a key that blocks", []taskmanager.Option{taskmanager.WithKeyQueueLimit(1, taskmanager.Block)}, []string{"WithKeyQueueLimit", "Block is not supported", "choose Reject"}},
		{"name empty", []taskmanager.Option{taskmanager.WithName("")}, []string{"WithName"}},
		{"scaler nil", []taskmanager.Option{taskmanager.WithScaler(nil)}, []string{"WithScaler"}},
		{"restart nil", []taskmanager.Option{taskmanager.WithRestart(nil)}, []string{"WithRestart"}},
		{"option nil", []taskmanager.Option{nil}, []string{"option 1 is nil"}},
		{"no discipline", []taskmanager.Option{taskmanager.WithQueue(taskmanager.Discipline{})}, []string{"WithQueue", "no queue", "FIFO"}},
		{"ageing negative", []taskmanager.Option{taskmanager.WithQueue(taskmanager.Priority(-1))}, []string{"WithQueue", "ageing is -1"}},
		{"horizon negative", []taskmanager.Option{taskmanager.WithQueue(taskmanager.Deadline(-1))}, []string{"WithQueue", "horizon is -1ns"}},
		{"limit by key of 0", []taskmanager.Option{taskmanager.WithQueue(taskmanager.LimitByKey(0, taskmanager.FIFO()))}, []string{"limit is 0"}},
		{"limit by key of nothing", []taskmanager.Option{taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.Discipline{}))}, []string{"no queue"}},
		{"limit by key without a function", []taskmanager.Option{taskmanager.WithQueue(taskmanager.LimitByKeyFunc(nil, taskmanager.FIFO()))}, []string{"LimitByKeyFunc", "function is nil"}},
		{"bad inner discipline", []taskmanager.Option{taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.Priority(-1)))}, []string{"ageing is -1"}},
		{"target negative", []taskmanager.Option{taskmanager.WithQueue(taskmanager.CoDel(taskmanager.CoDelConfig{Target: -1}))}, []string{"target is -1ns"}},
		{"custom of nothing", []taskmanager.Option{taskmanager.WithQueue(taskmanager.Custom(nil))}, []string{"no queue"}},
		{"custom that makes nothing", []taskmanager.Option{taskmanager.WithQueue(taskmanager.Custom(func() queue.Queue[*taskmanager.Handle] { return nil }))}, []string{"returned nil"}},
		{
			"policy that the discipline cannot carry out",
			[]taskmanager.Option{taskmanager.WithLimit(1, taskmanager.DropOldest), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO()))},
			[]string{"DropOldest", "LimitByKey over FIFO", "choose DropWorst"},
		},
		{
			"policy that passes the discipline by",
			[]taskmanager.Option{taskmanager.WithLimit(1, taskmanager.CallerRuns), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO()))},
			[]string{"CallerRuns", "LimitByKey over FIFO", "choose Block"},
		},
		{
			"all at once",
			[]taskmanager.Option{taskmanager.WithWorkers(-1, 0), taskmanager.WithIdleTimeout(0), nil},
			[]string{"minimum is -1", "0s", "option 3 is nil"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "max beyond all bounds" && strconv.IntSize == 32 {
				t.Skip("an int of 32 bits is not beyond them")
			}
			m, err := taskmanager.Start(test.opts...)
			if m != nil || err == nil {
				t.Fatalf("Start returned %v, %v; want an error", m, err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the text %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestNewPanicsWithTheErrorOfStart(t *testing.T) {
	tests := []struct {
		name     string
		min, max int
		timeout  time.Duration
		opts     []taskmanager.Option
	}{
		{name: "max below 1", min: 0, max: 0, timeout: time.Second},
		{name: "min negative", min: -1, max: 1, timeout: time.Second},
		{name: "min above max", min: 2, max: 1, timeout: time.Second},
		{name: "timeout 0", min: 1, max: 1},
		{name: "options that clash", min: 1, max: 1, timeout: time.Second, opts: []taskmanager.Option{taskmanager.WithLimit(1, taskmanager.DropOldest), taskmanager.WithQueue(taskmanager.LimitByKey(1, taskmanager.FIFO()))}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			opts := append([]taskmanager.Option{
				taskmanager.WithWorkers(test.min, test.max), taskmanager.WithIdleTimeout(test.timeout),
			}, test.opts...)
			_, want := taskmanager.Start(opts...)
			defer func() {
				got, ok := recover().(error)
				if !ok || got.Error() != want.Error() {
					t.Errorf("New panicked with %v, want %v", got, want)
				}
			}()
			taskmanager.New(test.min, test.max, test.timeout, nil, test.opts...)
		})
	}
}

// fixedDelay is a restart policy with a constant delay.
type fixedDelay time.Duration

func (d fixedDelay) Next(restart.Failure) (time.Duration, bool) { return time.Duration(d), true }
