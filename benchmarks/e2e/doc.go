// Package e2e sends what a real run emits to real backends, and looks at what they made of
// it: the OpenTelemetry Collector, Prometheus and Jaeger. The tests are skipped unless they
// are told where those programs are; make e2e and make e2e-jaeger install and run them.
// Everything stays on the loopback interface.
//
// [Draw] makes a picture of a trace as Jaeger tells it.
package e2e
