package board

import (
	"fmt"
	"strings"
)

// The metrics of package observe, as Prometheus names them.
const (
	runDuration   = "taskmanager_task_run_duration_seconds"
	queueDuration = "taskmanager_task_queue_duration_seconds"
	submissions   = "taskmanager_task_submissions_total"
	restarts      = "taskmanager_task_restarts_total"
	ends          = "taskmanager_task_ends_total"
	active        = "taskmanager_task_active"
	queueLength   = "taskmanager_queue_length"
	queueLimit    = "taskmanager_queue_limit"
	workerCount   = "taskmanager_pool_worker_count"
	workerDesired = "taskmanager_pool_worker_desired"
	workerMin     = "taskmanager_pool_worker_min"
	workerMax     = "taskmanager_pool_worker_max"
	decisions     = "taskmanager_scaler_decisions_total"
)

// The labels by which sums are grouped.
const (
	pool      = "taskmanager_pool_name"
	kind      = "taskmanager_task_kind"
	outcome   = "taskmanager_task_outcome"
	result    = "taskmanager_submission_result"
	state     = "taskmanager_worker_state"
	direction = "taskmanager_scaler_direction"
	errorType = "error_type"
)

// Matchers of outcomes. The share of failures is that of failed among tried: cancelled and lost tasks
// say nothing about the code that runs.
const (
	failed = outcome + `=~"failure|timed_out"`
	tried  = outcome + `=~"success|failure|timed_out"`
	lost   = outcome + `=~"shed|dropped"`
)

// selected returns the series of a metric that the user selects, and that also match the matchers.
func selected(metric string, matchers ...string) string {
	all := append([]string{`job=~"$job"`, `instance=~"$instance"`, pool + `=~"$pool"`}, matchers...)
	return metric + "{" + strings.Join(all, ", ") + "}"
}

// rate returns the increase of a counter in a second.
func rate(metric string, matchers ...string) string {
	return "rate(" + selected(metric, matchers...) + "[$__rate_interval])"
}

// sum adds up an expression by labels.
func sum(expr, labels string) string { return fmt.Sprintf("sum by (%s) (%s)", labels, expr) }

// bounded returns the maximums of workers. A pool without a maximum reports 2147483647, the value of
// taskmanager.NoMaximum, which would hide all other lines.
func bounded() string { return selected(workerMax) + " < 2147483647" }

// quantile returns a percentile of a histogram by a label.
func quantile(q, histogram, label string) string {
	return fmt.Sprintf("histogram_quantile(%s, %s)", q, sum(rate(histogram+"_bucket"), "le, "+label))
}

// share returns the part of the tasks that failed, by a label. It is 0, and not absent, if
// none has ever failed.
func share(label string) string {
	all := sum(rate(ends, tried), label)
	return fmt.Sprintf("(%s or 0 * %s) / %s", sum(rate(ends, failed), label), all, all)
}
