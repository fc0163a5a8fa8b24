package nats

import "slices"

// Role says what a process may do in a namespace. [Permissions] lists its subjects. Each role
// includes the previous ones.
type Role int

// The roles.
const (
	// RoleSubmitter submits tasks, waits for results, looks up and cancels tasks, and runs schedules
	// ([Repeat]). It can read and delete any stored task, which [Client.Cancel] needs, and store
	// outcomes. It can neither run tasks nor read dead letters.
	RoleSubmitter Role = iota + 1

	// RoleWorker also runs tasks. It can create and delete the consumers of tasks, and store dead
	// letters. It can neither create, change, purge nor delete streams, so an operator must open the
	// namespace first. It can neither read nor delete dead letters.
	RoleWorker

	// RoleOperator may do everything in the namespace, and nothing outside of it. The first [Open] of
	// a namespace needs it, and so do changes of settings such as [WithMaxTasks].
	RoleOperator
)

// Permissions returns the subjects to which a user in a role may publish and subscribe, for the
// configuration of a server, a JWT, or the Users of package embed. For an invalid namespace or role
// the lists are empty but not nil, which allows nothing.
//
// Answers to requests arrive at inboxes, so all roles may subscribe to _INBOX.>, and could read
// answers to others. Where that matters, give each user an inbox of its own with
// [natsgo.CustomInboxPrefix], and replace _INBOX in both lists.
func Permissions(namespace string, r Role) (publish, subscribe []string) {
	if namespace == "" || len(namespace) > 32 || !validNamespace(namespace) || r < RoleSubmitter || r > RoleOperator {
		return []string{}, []string{}
	}
	p := permissions{namespace}
	publish, subscribe = p.submitter()
	if r >= RoleWorker {
		pub, sub := p.worker()
		publish, subscribe = append(publish, pub...), append(subscribe, sub...)
	}
	if r >= RoleOperator {
		publish, subscribe = p.operator(), append(subscribe, namespace+".>")
	}
	return compact(publish), compact(subscribe)
}

// compact sorts a list and removes what is there twice.
func compact(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// permissions are the subjects of a namespace.
type permissions struct{ namespace string }

// bucket returns the stream of a bucket.
func (p permissions) bucket(part string) string { return "KV_" + p.namespace + "_" + part }

// key returns the subjects of the keys of a bucket.
func (p permissions) key(part string) string { return "$KV." + p.namespace + "_" + part + ".>" }

func buckets() []string { return []string{"STATE", "CANCEL", "RESULTS", "CRON", "SLOTS", "PROCS"} }

// streams returns all streams.
func (p permissions) streams() []string {
	all := []string{p.namespace, p.namespace + "_DEAD"}
	for _, part := range buckets() {
		all = append(all, p.bucket(part))
	}
	return all
}

// api returns the subjects of a request of the JetStream API for streams.
func api(request string, streams ...string) []string {
	list := make([]string, 0, len(streams))
	for _, s := range streams {
		list = append(list, "$JS.API."+request+"."+s)
	}
	return list
}

// read returns the subjects of requests for single messages.
func (p permissions) read(streams ...string) []string {
	direct := api("DIRECT.GET", streams...)
	for _, s := range direct {
		direct = append(direct, s+".>")
	}
	return append(direct, api("STREAM.MSG.GET", streams...)...)
}

// watch returns the subjects of requests for a consumer that follows a stream.
func watch(streams ...string) []string {
	var list []string
	for _, s := range streams {
		list = append(list, "$JS.FC."+s+".>", "$JS.API.CONSUMER.CREATE."+s+".>", "$JS.API.CONSUMER.INFO."+s+".>", "$JS.API.CONSUMER.DELETE."+s+".>")
	}
	return list
}

func (p permissions) submitter() (publish, subscribe []string) {
	publish = slices.Concat(
		[]string{p.namespace + ".run.>", p.namespace + ".ctl.cancel", p.namespace + ".ctl.status"},
		[]string{p.key("CANCEL"), p.key("RESULTS"), p.key("CRON")},
		api("STREAM.INFO", p.streams()...),
		api("CONSUMER.LIST", p.namespace), // which kinds somebody runs
		// A cancelled task is deleted with its history. The sequence alone names a message.
		api("STREAM.MSG.DELETE", p.namespace, p.bucket("STATE")),
		p.read(p.namespace, p.bucket("STATE"), p.bucket("RESULTS"), p.bucket("CRON"), p.bucket("PROCS")),
	)
	return publish, []string{"_INBOX.>", p.key("RESULTS")}
}

func (p permissions) worker() (publish, subscribe []string) {
	consumers := "." + p.namespace + ".>"
	publish = slices.Concat(
		[]string{p.namespace + ".dead.>", "_INBOX.>"}, // it answers requests
		[]string{p.key("STATE"), p.key("SLOTS"), p.key("PROCS")},
		[]string{"$JS.ACK" + consumers},
		[]string{"$JS.API.CONSUMER.CREATE" + consumers, "$JS.API.CONSUMER.INFO" + consumers},
		[]string{"$JS.API.CONSUMER.DELETE" + consumers, "$JS.API.CONSUMER.MSG.NEXT" + consumers},
		api("STREAM.MSG.DELETE", p.bucket("SLOTS")),
		p.read(p.bucket("CANCEL"), p.bucket("SLOTS")),
		watch(p.bucket("CANCEL")),
	)
	return publish, []string{p.namespace + ".ctl.>"}
}

// The commands have no wildcards: in a namespace that is called like a part of a command, such as CREATE, a
// wildcard would match commands for other namespaces.
func (p permissions) operator() (publish []string) {
	publish = []string{p.namespace + ".>", "_INBOX.>", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"}
	for _, command := range []string{
		"STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.INFO", "STREAM.PURGE", "STREAM.SNAPSHOT", "STREAM.RESTORE",
		"STREAM.MSG.GET", "STREAM.MSG.DELETE", "STREAM.LEADER.STEPDOWN", "CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST",
	} {
		publish = append(publish, api(command, p.streams()...)...)
	}
	for _, command := range []string{
		"CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.PAUSE", "CONSUMER.RESET",
		"CONSUMER.UNPIN", "CONSUMER.LEADER.STEPDOWN", "CONSUMER.MSG.NEXT",
	} {
		for _, s := range api(command, p.streams()...) {
			publish = append(publish, s+".>")
		}
	}
	for _, s := range p.streams() {
		publish = append(publish, "$JS.ACK."+s+".>", "$JS.FC."+s+".>")
	}
	for _, part := range buckets() {
		publish = append(publish, p.key(part))
	}
	return append(publish, p.read(p.streams()...)...)
}
