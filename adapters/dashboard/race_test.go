//go:build race

package dashboard_test

// manyTasks is smaller with the race detector, under which a million tasks take 20 seconds.
const manyTasks = 200_000
