// Package e2ecluster tests adapters/nats with real processes. The tests kill, pause and drain
// workers, submitters and servers, and cut them off from one another. All processes write to one
// ledger. Each test ends with a check of the ledger: that every accepted task has ended, that no
// name had two outstanding tasks, and that no two executions of a name overlapped without a reason.
//
// The tests run on Linux, and only if a flag asks for them: make e2e-cluster runs them all, and
// make chaos combines the faults at random. Tests that fill a disk need root or CAP_SYS_ADMIN.
package e2ecluster
