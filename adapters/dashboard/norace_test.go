//go:build !race

package dashboard_test

// manyTasks is the number of tasks of TestAMillionTasks.
const manyTasks = 1_000_000
