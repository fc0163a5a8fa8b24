package telemetry

import (
	"strings"
	"testing"
)

// Nothing is exported without an endpoint, or if the SDK is disabled. An unknown
// exporter is an error.
func TestNothingIsExported(t *testing.T) {
	for _, disabled := range []bool{false, true} {
		if disabled {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
			t.Setenv("OTEL_SDK_DISABLED", "True")
		}
		export, err := New(t.Context())
		if err != nil || len(export.Options()) > 0 {
			t.Errorf("disabled: %v: %d options, %v", disabled, len(export.Options()), err)
		}
	}
	t.Setenv("OTEL_SDK_DISABLED", "")
	t.Setenv("OTEL_METRICS_EXPORTER", "pigeon")
	if _, err := New(t.Context()); err == nil || !strings.Contains(err.Error(), "OTEL_METRICS_EXPORTER=pigeon") {
		t.Errorf("of an unknown exporter: %v", err)
	}
}
