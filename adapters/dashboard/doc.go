// Package dashboard shows in a browser what the task managers of a program do, and what several processes do that
// share tasks.
//
//	c := dashboard.NewCollector() // optional
//	m, err := taskmanager.Start(taskmanager.WithObserver(c))
//	if err != nil {
//		return err
//	}
//	d := dashboard.New(dashboard.Manager("images", m, c))
//	defer d.Close()
//	mux.Handle("/debug/tasks/", d)
//
// A [Dashboard] is an [http.Handler]. It shows the state of the managers live, charts of the last four
// hours, tasks, workers, the queue, schedules and the decisions of the scaler. It keeps its samples in
// memory: about 0.4 MB for each manager.
//
// A [Collector] is an observer that adds what a manager does not keep: percentiles of waits and run
// times, numbers by kind and by key, failures with their stacks, a sample of the successes, and links
// to traces. Kinds and keys beyond the first 64 share a row. With 64 of both it takes 6 MB; with a few, a
// tenth of that. The texts of what it remembers add 21 MB if all of them are as long as they may be.
// Without a collector the page shows the records of [taskmanager.WithHistory], and counts tasks instead
// of executions.
//
// The oldest wait in the queue is shown if the manager measures it; see [taskmanager.WithPoolTimes].
//
// # Clusters
//
// Tasks that several processes share are shown next to the managers: a [Cluster] has pages with its processes and
// kinds, the outstanding tasks and those that were given up, which can be retried and deleted. The dashboard gets
// all that from a [ClusterSource], and asks only while somebody looks, once a second in all. Package
// adapters/nats/cluster has a source for the tasks of package adapters/nats.
//
// # Mounting
//
// The handler goes by the end of the path, so it works under any prefix, at the root, below another
// mux, and behind [http.StripPrefix]. It must get all requests below its prefix, and the path of the page
// ends with a slash. Middleware that wraps the [http.ResponseWriter] must give its writer the method
// Unwrap or Flush, as [http.ResponseController] says; otherwise there is no live update.
//
// Behind a reverse proxy that passes on the name of the site, give that name with [Hosts].
//
// # Security
//
// The names, kinds, keys and errors of tasks are readable for everyone who reaches the handler. Serve it on
// a port that only operators reach, or behind a middleware that authenticates. The package itself has
// these rules:
//
//   - The dashboard is read-only, unless [Actions] names what is allowed and decides on each action. Every
//     action is logged, also one that is refused.
//   - It answers only under localhost, IP addresses and the names of [Hosts], so that no other site
//     can read it through a name of its own (DNS rebinding).
//   - It refuses requests that pages of other sites make, reads as well as actions.
//   - The page runs only scripts of this handler: its content security policy has no inline code, and
//     no framing by other pages.
//   - Texts of the program are clipped, and characters that control the output are escaped: names, keys
//     and kinds at 400 bytes, errors at 2,000 and stacks at 16 kB.
//   - There are at most 32 streams for each manager. A client that does not read for five seconds is cut
//     off, whatever it asked for. A search ends after 100 ms, and says so.
//   - Methods of tasks, errors and timetables, and the weight function of a discipline, are called apart, and
//     have 50 ms to answer. A task whose
//     method does not answer is shown as such, and left alone for 30 seconds. At most 64 calls are
//     pending at a time. The source of a cluster has five seconds for a call, and 8 calls may be pending.
//   - The payload of a dead letter is never shown. A retry submits that payload again.
//
// # Data
//
// The page reads JSON below api/v1/, which programs may read too. The argument m names the manager or cluster; the
// default is the first one. All times are Unix seconds and all durations seconds. A number that is unknown is -1.
//
//	meta                    the managers and clusters, the columns of points, and what is allowed
//	overview                the present state
//	events                  that state each second, as server-sent events named tick
//	series?seconds=         points by column: each second for 15 minutes, otherwise every 15 seconds
//	tasks?q=&state=&kind=&key=&skip=&limit=&after=
//	                        outstanding tasks; a further page has after=, the field next of the page before, and no skip
//	task?name=              a task, or null, and what is remembered of it
//	workers?skip=&limit=    the workers and what they run
//	queue                   the next tasks in the order of the discipline
//	history?outcome=&kind=&name=&skip=&limit=
//	                        executions, and ends of tasks that did not run, newest first; outcome is
//	                        success, failure, panic, cancelled, or empty for all but successes
//	kinds                   numbers and percentiles by kind, since the start
//	keys                    numbers by key, with shares and percentiles of the last minute
//	decisions               the last 512 decisions of the scaler
//	schedules               the schedules and their next runs
//
// These are of clusters:
//
//	cluster                 the processes, and the numbers of tasks by kind
//	cluster-tasks?q=&kind=&limit=
//	                        outstanding tasks, or a part of them; q is a part of the name or the whole name
//	dead?q=&kind=&limit=    tasks that were given up, newest first, or a part of them
//
// Answers about a cluster may be a second old. A request may wait four seconds for its turn, and is answered with
// status 503 if that is not enough, with 502 if the source has an error, and with 504 if it does not answer.
//
// A POST of {"manager", "action", "name", "min", "max"} to actions does something: cancel, pause, resume,
// resize or run. The manager is required; if the URL has the argument m too, both must be the same. For a cluster,
// manager is its name, and the actions are cancel and, with the fields name, kind and letter of a dead letter, retry and
// delete. Where an answer has the fields id and kindID, these are the exact name and kind. An error
// is answered with {"error"} and a status.
//
// A task whose name is longer than 600 bytes, or no valid UTF-8, has no page and cannot be cancelled here.
//
// A progress is shown as a share from 0 to 1; one above counts as 1. A row is mute if the task does not answer, and
// unasked if there was no time to ask it. Percentiles of the last seconds and numbers of the last
// minute become -1 after Close, and after the end of all managers.
package dashboard
