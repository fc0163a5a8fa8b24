// Package check compares values in tests.
package check

import (
	"errors"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// T is the part of [testing.TB] that this package uses. *rapid.T implements it too.
type T interface {
	// Helper marks the caller as a helper.
	Helper()
	// Errorf reports that the test has failed.
	Errorf(format string, args ...any)
}

// Equal reports a test error that shows the difference, unless got equals want.
// Errors are equal if errors.Is says so.
func Equal[V any](t T, what string, got, want V) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Is reports a test error unless errors.Is(got, want).
func Is(t T, call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s returned %v, want %v", call, got, want)
	}
}
