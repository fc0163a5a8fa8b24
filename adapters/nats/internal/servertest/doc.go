// Package servertest has the tests of package adapters/nats against a server in the same process.
// They are in a module of their own, so that the clients of that package do not depend on the
// server.
package servertest
