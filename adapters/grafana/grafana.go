// Package grafana contains a Grafana dashboard and Prometheus alert rules for the metrics that package
// observe emits. The files dashboard.json and rules.yml of its directory can be used without it:
// README.md tells how to import them and how to set the thresholds. The functions of the package are for
// programs that provision Grafana or Prometheus.
//
// Both files use the names that metrics have after the default translation from OpenTelemetry to
// Prometheus, such as taskmanager_task_run_duration_seconds_bucket.
package grafana

import _ "embed"

//go:generate go run ./internal/generate

var (
	//go:embed dashboard.json
	dashboard string
	//go:embed rules.yml
	rules string
)

// Dashboard returns the dashboard as JSON. Its variable datasource selects a Prometheus data source.
func Dashboard() string { return dashboard }

// Rules returns the alert rules as YAML, in the format of a rule file of Prometheus.
func Rules() string { return rules }
