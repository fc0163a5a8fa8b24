// Package embed runs a NATS server with JetStream, its storage engine, inside the process of a
// program. So the program has durable tasks without a server to install: the tasks of package
// adapters/nats are in a directory of the program, and survive its end.
//
//	server, err := embed.Start(embed.Options{Dir: "/var/lib/program"})
//	...
//	nc, err := server.Conn()
//	...
//	c, err := nats.Open(ctx, nc) // package adapters/nats
//
// By default no other process can connect. To share the tasks with other processes, set
// [Options.Listen] and [Options.Token], and pass [Server.URL] to those processes. With
// [Options.Cluster], three servers on three machines form a cluster. Each of them starts with an
// empty directory, since a cluster deletes the streams of a single server; [Start] refuses a
// directory with such streams with [ErrClusterMismatch]. The README of adapters/nats says how to
// move the tasks.
//
// # Durability
//
// By default each write is on disk when it is confirmed, so no accepted task is lost when the
// process is killed or the machine loses power. That costs one sync of the disk for each write.
// [Options.SyncInterval] reduces the cost and the durability.
//
// Only one server at a time can use a directory: a second one gets [ErrLocked]. The lock ends with
// the process, however it ends. It needs a local file system.
//
// After a failed write, as on a full disk, the server stops JetStream. Then nothing is stored, and
// clients get errors that say so. What was accepted before stays. The server checks each second
// whether the directory can be written, and then starts JetStream again. (A separate nats-server
// stores nothing more until it is started again.) Set [Options.MaxStore] so that the server refuses
// writes before the disk is full.
//
// # Concurrency
//
// All methods of [Server] are safe for concurrent use. The server installs no signal handlers, and
// prints nothing: its log goes to [Options.Logger].
//
// # Shutdown
//
// Close clients and drain workers first, then call [Server.Stop]. It closes the connections of
// [Server.Conn], which cannot reconnect.
package embed
