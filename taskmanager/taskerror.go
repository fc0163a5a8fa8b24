package taskmanager

import (
	"fmt"
	"strings"
)

// TaskError is the error of a task, or of its submit, with the name of the task. Calls return it
// where an error may be that of one of several tasks: [Group.Wait] returns one for each task that
// failed or was refused, and [GroupError] holds one. A submit returns it for a name that is taken,
// and for a wait for room that was cut short. [errors.Is] finds the errors that Err wraps.
type TaskError struct {
	// Name is the name of the task.
	Name string
	// Err is the error, without the name.
	Err error
}

// Error returns the name and the text of Err.
func (e *TaskError) Error() string { return fmt.Sprintf("%stask %q: %v", prefix, e.Name, bare(e.Err)) }

// Unwrap returns Err.
func (e *TaskError) Unwrap() error { return e.Err }

// taskError adds the name of a task to an error, unless it has that name already or there is none.
func taskError(name string, err error) error {
	if e, ok := err.(*TaskError); ok && e.Name == name || name == "" { //nolint:errorlint // one that is wrapped is of another task
		return err
	}
	return &TaskError{name, err}
}

// prefix is the begin of the texts of errors of this package.
const prefix = "taskmanager: "

// bare returns err for the text of another error of this package, which has the prefix already. If
// err has the prefix, at the beginning or after a colon, the result is an error without it that
// wraps err.
func bare(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if !strings.Contains(text, prefix) {
		return err
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, prefix), ": "+prefix, ": ")
	return &bareError{text, err}
}

// bareError is an error with another text.
type bareError struct {
	text string
	err  error
}

// Error returns the text.
func (e *bareError) Error() string { return e.text }

// Unwrap returns the error whose text it is.
func (e *bareError) Unwrap() error { return e.err }
