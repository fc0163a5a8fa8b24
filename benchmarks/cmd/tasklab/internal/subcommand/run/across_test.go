package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/labtest"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/settings"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/subcommand"
	"github.com/seed56799101/taskmanager/scheduler/restart"
)

// tree is a directory with many files, some of them with names that not every system takes.
func tree(t *testing.T, n int) string {
	t.Helper()
	contents := map[string]string{"a b/c.d\\e": "x\n", strings.Repeat("long.", 40) + "/" + strings.Repeat("path.", 40): "y\n"}
	for i := range n {
		contents[fmt.Sprintf("dir-%d/file-%d", i%7, i)] = strings.Repeat("line\n", i)
	}
	dir := labtest.Tree(t, contents)
	_ = os.WriteFile(filepath.Join(dir, "lat\xe9"), []byte("z\n"), 0o600) // where the file system takes such names
	return dir
}

// execute executes the subcommand and decodes its report.
func execute(ctx context.Context, t *testing.T, args ...string) (status subcommand.Status, rep Report, stderr string) {
	t.Helper()
	var out, faults bytes.Buffer
	status = Subcommand.Execute(ctx, append(args, "-json"), &out, &faults)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
			t.Fatal(err)
		}
	}
	return status, rep, faults.String()
}

// A run in a cluster has the same result as one in this process.
func TestEmbed(t *testing.T) {
	dir := tree(t, 1200)
	_, local, _ := execute(t.Context(), t, "-dir", dir)
	status, rep, stderr := execute(t.Context(), t, "-dir", dir, "-cluster", "embed", "-max", "3")
	if status != subcommand.OK || !strings.Contains(stderr, "with: TASKLAB_CLUSTER=nats://") {
		t.Errorf("status %d, stderr %s", status, stderr)
	}
	type same struct {
		Digest                         string
		Found, Read, Unfinished, Late  int
		Bytes, Lines                   int64
		Keys, Restarts, Failures, Skip int
	}
	of := func(r Report) same {
		return same{r.Digest, r.Found, r.Read, r.Unfinished, 0, r.Bytes, r.Lines, len(r.Keys), r.Restarts, len(r.Failures), r.Skipped}
	}
	if diff := cmp.Diff(of(local), of(rep)); diff != "" {
		t.Errorf("report (-in one process +in a cluster):\n%s", diff)
	}
	if rep.Late != 0 || !strings.HasPrefix(rep.Cluster, "nats://") || len(rep.Processes) != 1 || rep.Processes[0].Files != rep.Read {
		t.Errorf("late %d, cluster %q, processes %+v", rep.Late, rep.Cluster, rep.Processes)
	}
	if strings.Contains(rep.Cluster, "@") {
		t.Errorf("the report has the secret of the server: %s", rep.Cluster)
	}
}

// interruptAfter is a display that interrupts the run when so many files are done.
type interruptAfter struct {
	files     int
	interrupt context.CancelFunc
}

func (interruptAfter) Interval() time.Duration { return time.Millisecond }
func (interruptAfter) WantsTotal() bool        { return true }
func (interruptAfter) Close(progress.View)     {}
func (i interruptAfter) Update(v progress.View) {
	if v.Done() >= i.files {
		i.interrupt()
	}
}

// An interrupted run goes on with the same store: what was read is not read again.
func TestResume(t *testing.T) {
	dir, store := tree(t, 3000), filepath.Join(t.TempDir(), "store")
	_, local, _ := execute(t.Context(), t, "-dir", dir)
	c := newCommand()
	c.dir, c.across.at, c.across.store = dir, cluster.Embedded, store
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rep, err := c.readAcross(ctx, interruptAfter{100, cancel}, io.Discard)
	if err != nil || !rep.Interrupted || rep.Read < 100 || rep.Read == local.Read {
		t.Fatalf("interrupted %t after %d files, %v", rep.Interrupted, rep.Read, err)
	}
	status, _, stderr := execute(t.Context(), t, "-dir", t.TempDir(), "-cluster", "embed", "-store", store)
	if status != subcommand.Failed || !strings.Contains(stderr, "belongs to an unfinished run over") {
		t.Errorf("another directory: status %d, %s", status, stderr)
	}
	// This one was read, and has changed since.
	if err := os.WriteFile(filepath.Join(dir, "dir-1", "file-1"), []byte("changed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, local, _ = execute(t.Context(), t, "-dir", dir)
	status, resumed, stderr := execute(t.Context(), t, "-dir", dir, "-cluster", "embed", "-store", store)
	if want := fmt.Sprintf("which has read %d files", rep.Read); status != subcommand.OK || !strings.Contains(strings.ReplaceAll(stderr, ",", ""), want) {
		t.Errorf("status %d, stderr lacks %q:\n%s", status, want, stderr)
	}
	if resumed.Digest != local.Digest || resumed.Read != local.Read {
		t.Errorf("%d files, digest %s, want %d and %s", resumed.Read, resumed.Digest, local.Read, local.Digest)
	}
	if _, err := os.Lstat(filepath.Join(store, journalName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is there after the run: %v", err)
	}
}

// A file of an interrupted run that has changed since its submit replaces its task.
func TestChangedWhileOutstanding(t *testing.T) {
	dir := labtest.Tree(t, map[string]string{"a": "old", "b": "b"})
	joined, err := cluster.Embed(t.Context(), cluster.Place{Listen: "127.0.0.1:0"}, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeCluster(t, joined)
	first, second := newShared(joined, dir), newShared(joined, dir)
	second.run = first.run
	ctx, interrupt := context.WithCancel(t.Context())
	first.journal = &journal{} // so that the interrupt leaves the tasks
	var running sync.WaitGroup
	running.Go(func() {
		if err := first.work(ctx, progress.New(io.Discard), time.Second); err != nil {
			t.Error(err)
		}
	})
	within(t, "the tasks are outstanding", func() bool { return len(first.room) == 2 && outstanding(t, joined) == 2 })
	interrupt()
	running.Wait()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("new content"), 0o600); err != nil {
		t.Fatal(err)
	}
	worker := serve(t, joined)
	defer stopWorker(t, worker)
	if err := second.work(t.Context(), progress.New(io.Discard), time.Second); err != nil {
		t.Fatal(err)
	}
	c := newCommand()
	if rep := c.report(second.results, second.measured()); rep.Read != 2 || rep.Bytes != int64(len("new content"+"b")) {
		t.Errorf("the report is %+v", rep)
	}
}

// outstanding returns how many tasks the cluster has.
func outstanding(t *testing.T, c *cluster.Cluster) int {
	t.Helper()
	tasks, err := c.Client.TaskStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// serve runs a worker.
func serve(t *testing.T, c *cluster.Cluster) *cluster.Worker {
	t.Helper()
	w, err := c.Serve(cluster.Workforce{
		Manager: settings.Manager{Min: 1, Max: 2, IdleTimeout: time.Minute, Limit: 100, Overflow: settings.Overflows.Choose()},
		Scaler:  settings.Scalers.Choose().Value(), Restart: restart.Never(),
	}, cluster.Reader{Name: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func stopWorker(t *testing.T, w *cluster.Worker) {
	t.Helper()
	if err := w.Stop(context.Background(), time.Minute); err != nil {
		t.Error(err)
	}
}

func closeCluster(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// within asks again and again until the answer is true.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("waited too long: " + what)
		}
	}
}

// A run without a process that reads says so, and goes on when one comes. A file that cannot be read fails.
func TestLonely(t *testing.T) {
	before := lonely
	lonely = time.Millisecond
	defer func() { lonely = before }()
	dir := labtest.Tree(t, map[string]string{"a": "1\n", "b": "2\n"})
	joined, err := cluster.Embed(t.Context(), cluster.Place{Listen: "127.0.0.1:0"}, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeCluster(t, joined)
	j := newShared(joined, dir)
	done := make(chan error, 1)
	go func() { done <- j.work(t.Context(), progress.New(io.Discard), time.Second) }()
	within(t, "it says that there is nobody", func() bool { return strings.Contains(j.view().Note, "no process reads files yet") })
	within(t, "the files are submitted", func() bool { return outstanding(t, joined) == 2 })
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	worker := serve(t, joined)
	defer stopWorker(t, worker)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c := newCommand()
	rep := c.report(j.results, j.measured())
	if diff := cmp.Diff([]Failure{{"b", "openat: no such file or directory", 1}}, rep.Failures); diff != "" || rep.Read != 1 {
		t.Errorf("%d files read, failures (-want +got):\n%s", rep.Read, diff)
	}
	within(t, "the processes are known", func() bool {
		j.crew.look(t.Context())
		return j.view().Note == "2 workers in 1 process, 0 files handed out"
	})
}

// An interrupt cancels what nobody waits for any more.
func TestInterruptCancels(t *testing.T) {
	joined, err := cluster.Embed(t.Context(), cluster.Place{Listen: "127.0.0.1:0"}, time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeCluster(t, joined)
	j := newShared(joined, tree(t, 600))
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.work(ctx, progress.New(io.Discard), time.Minute) }()
	within(t, "the files are submitted", func() bool { return outstanding(t, joined) >= batchSize })
	interrupt()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := outstanding(t, joined); n != 0 {
		t.Errorf("%d tasks are outstanding after the interrupt", n)
	}
}

func TestFlagsOfClusters(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ args, want string }{
		{"-cluster 127.0.0.1", "-cluster: it is neither embed nor the URL of a NATS server"},
		{"-cluster nats://h:1 -max 3 -restart never", "-max is for the processes that read; give it to tasklab worker"},
		{"-cluster embed -queue lifo -record x", "-queue is for a run in one process; leave it out, or -cluster"},
		{"-store x", "-store is for -cluster embed"},
		{"-cluster nats://h:1 -listen :1", "-listen is for -cluster embed"},
		{"-cluster embed -listen 0.0.0.0:0", "use a loopback address, or a NATS server with TLS"},
		{"-cluster embed -lease 1ms", "-lease is 1ms; it must be 100ms or more"},
	} {
		status, _, stderr := execute(t.Context(), t, append(strings.Fields(tt.args), "-dir", dir)...)
		if status != subcommand.BadUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: status %d, stderr %s, want %s", tt.args, status, stderr, tt.want)
		}
	}
}

// A journal survives a torn end, and is no other file.
func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), journalName)
	in := cluster.File{Dir: []byte("/d"), Path: []byte("a\xff"), Size: 3, Modified: 7}
	j, err := openJournal(name, "/d")
	if err != nil {
		t.Fatal(err)
	}
	j.add(in, cluster.Read{Sum: []byte{1, 2}, Bytes: 3, Process: "p"})
	if err := j.close(false); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(content, `{"file":{"pa`...), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := openJournal(name, "/d")
	if err != nil {
		t.Fatal(err)
	}
	other := in
	other.Modified++
	read, known := again.read(in)
	_, changed := again.read(other)
	if diff := cmp.Diff(cluster.Read{Sum: []byte{1, 2}, Bytes: 3, Process: "p"}, read); !known || changed || again.head.Run != j.head.Run || diff != "" {
		t.Errorf("known %t, changed %t, runs %s and %s (-want +got):\n%s", known, changed, j.head.Run, again.head.Run, diff)
	}
	again.add(other, cluster.Read{})
	if err := again.close(false); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"no journal\n", "{\"run\":\"x\",\"dir\":\"L2Q=\"}\nnonsense\n"} {
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openJournal(name, "/d"); err == nil || !strings.Contains(err.Error(), "not a journal of this program") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
