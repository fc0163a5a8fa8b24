package scheduler

import (
	"log/slog"
	"runtime/debug"
)

// mend keeps a worker when its item panics or calls runtime.Goexit. The goroutine of a Goexit
// cannot continue, so a new one takes over the worker; the number of workers does not
// change. There is one deferred call per worker, not per item, which keeps the hot path free
// of it.
func (p *Pool[T]) mend(w *worker[T]) {
	if w.returned {
		return
	}
	v := recover() // here, since it works only in the deferred function itself
	if !w.running {
		// Trusted code failed, with mu held or not. To continue would hang or lose items.
		if v == nil {
			v = "scheduler: the queue or a function of the configuration called runtime.Goexit on a worker"
		}
		panic(v)
	}
	err := crash(v)
	// Deferred, because Crashed may call user code that ends this goroutine: a framework
	// decides there whether the item is restarted.
	defer func() { go p.work(w) }()
	guard("Crashed", func() { p.cfg.Crashed(w.id, w.item, err) })
}

// crash returns the error of an item that did not return, given the recovered value.
func crash(v any) error {
	if v == nil {
		return ErrGoexit
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// guard calls a function of the configuration. It logs a panic.
func guard(name string, call func()) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("scheduler: a function of the configuration panicked", "name", name, "value", v)
		}
	}()
	call()
}

// logCrash is the default of Config.Crashed.
func logCrash[T any](worker int32, _ T, err error) {
	attrs := []any{"worker", worker, "error", err}
	if pe, ok := err.(*PanicError); ok { //nolint:errorlint // made by mend, never wrapped
		attrs = append(attrs, "stack", string(pe.Stack))
	}
	slog.Error("scheduler: an item crashed", attrs...)
}
