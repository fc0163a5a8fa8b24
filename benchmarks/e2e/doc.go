// Package e2e sends the telemetry of a real run to real backends, the OpenTelemetry Collector,
// Prometheus and Jaeger, and checks what they received. A test is skipped unless a flag gives
// the path of its backend; make e2e and make e2e-jaeger install the backends and run the
// tests. The test with Prometheus also checks the dashboard and the alert rules of adapters/grafana.
// All traffic stays on the loopback interface.
//
// [Draw] draws a trace that Jaeger returned.
package e2e
