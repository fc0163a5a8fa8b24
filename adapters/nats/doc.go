// Package nats runs the tasks of a program on many machines: any process submits, and worker processes
// run what they pull through their own [taskmanager.TaskManager]. NATS JetStream stores the tasks.
package nats
