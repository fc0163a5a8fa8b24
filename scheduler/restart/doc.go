// Package restart decides whether and when failed work runs again.
//
// A [Policy] maps a [Failure] to a delay, or gives up. [Default] is exponential
// backoff with full jitter.
//
//	Exponential   delays double, with full jitter
//	Decorrelated  each delay grows from the previous one, with jitter
//	Constant      the same delay each time
//	Never         no restart
//	Func          a function of your own
//
// Decorators give up earlier than the policy that they wrap:
//
//	MaxAttempts   after a number of failures in a row
//	Intensity     after too many restarts within a window
//	Budget        when restarts exceed a share of all executions
//	When          for errors that a restart does not cure
//
// A policy decides only. Package taskmanager counts the failures, waits and runs the task
// again.
//
// # Concurrency
//
// A policy is safe for concurrent use: one policy serves many tasks. All policies except
// [Budget] are stateless.
//
// # Errors
//
// Constructors accept any arguments. A policy reports invalid arguments through a method
// Validate() error, which a manager calls when the policy is set. The text of an error
// starts with "restart: ". A policy with invalid arguments still answers every Failure.
package restart
