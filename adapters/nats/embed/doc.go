// Package embed runs a NATS server with JetStream inside the process of the program. With it a
// program has durable tasks without a server to install: the tasks of package adapters/nats are in
// a directory of the program, and survive its end.
//
//	server, err := embed.Start(embed.Options{Dir: "/var/lib/program"})
//	...
//	nc, err := server.Conn()
//	...
//	c, err := nats.Open(ctx, nc) // package adapters/nats
//
// By default nothing outside of the process can connect. To share the tasks with other processes,
// set [Options.Listen] and [Options.Token], and pass [Server.URL] to those processes. Three servers
// on three machines form a cluster with [Options.Cluster]. Each of them starts with an empty directory:
// a cluster would delete the streams of a single server, so that [Start] refuses them with
// [ErrClusterMismatch]. The README of adapters/nats says how to move the tasks.
//
// # Durability
//
// By default each write is on disk when it is confirmed, so that no accepted task is lost when the
// process is killed or the machine loses its power. That costs one sync of the disk for each write.
// [Options.SyncInterval] trades this for speed.
//
// The directory belongs to one server at a time: a second one gets [ErrLocked]. The lock ends with
// the process, however it ends. It needs a local file system.
//
// After a failed write, as on a full disk, the server ends JetStream: nothing is stored, and clients are told so.
// What was accepted before stays. The server looks each second whether the disk can be written again, and then goes
// on. (A NATS server of its own stores nothing more until somebody starts it again.) [Options.MaxStore] refuses what
// exceeds it before the disk is full.
//
// # Concurrency
//
// All methods of [Server] are safe for concurrent use. The server starts no signal handlers, and
// prints nothing: what it logs goes to [Options.Logger].
//
// # Shutdown
//
// Close clients and drain workers first, then call [Server.Stop]. It closes the connections of
// [Server.Conn], which can never connect again.
package embed
