// Package e2ecluster runs the tasks of adapters/nats in real processes, which its tests kill, freeze, drain
// and cut off from the server. All processes write to one ledger, and each test ends with a balance of it. The tests are
// skipped unless a flag asks for them: make e2e-cluster runs them, and make chaos combines the faults at random. As root, or with CAP_SYS_ADMIN, full disks are
// among them.
package e2ecluster
