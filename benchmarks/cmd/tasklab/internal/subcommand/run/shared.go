package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed56799101/taskmanager/adapters/nats"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/cluster"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/measure"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/output"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/progress"
	"github.com/seed56799101/taskmanager/benchmarks/cmd/tasklab/internal/workload"
	"github.com/seed56799101/taskmanager/taskmanager"
)

const (
	batchSize = 500           // files of a submit
	window    = 4 * batchSize // files that are submitted and not done
	receivers = 32            // goroutines that wait for results
	keptFor   = time.Hour     // results, for a run that is continued
	fullPause = 200 * time.Millisecond
)

// shared is a run that processes of a cluster share.
type shared struct {
	cluster *cluster.Cluster
	dir     string
	files   fs.FS
	reader  *workload.Reader // only makes tasks, which other processes execute
	results *results
	crew    *crew
	journal *journal
	told    func(n int) // of each file that ended, with how many have

	run     string // the beginning of the names of the tasks
	start   time.Time
	elapsed time.Duration
	counted atomic.Int64 // files; see countFiles
	ended   atomic.Int64

	mu   sync.Mutex
	left []string // names of tasks that may be outstanding, guarded by mu

	room    chan struct{} // has an element for each file that is submitted and not done
	pending chan handedOut
}

// handedOut is a file that was submitted.
type handedOut struct {
	task *nats.Task
	file *workload.File
	in   cluster.File
}

// foundFile is a file that is to be submitted.
type foundFile struct {
	file *workload.File
	in   cluster.File
}

func newShared(joined *cluster.Cluster, dir string) *shared {
	files := workload.Directory(dir)
	return &shared{
		cluster: joined, dir: dir, files: files, reader: workload.NewReader(files, 0, nil), results: newResults(),
		crew: newCrew(joined.Client), told: func(int) {}, run: newRun(), start: time.Now(),
		room: make(chan struct{}, window), pending: make(chan handedOut, window),
	}
}

// resumes goes on with the run of the journal.
func (j *shared) resumes(stderr io.Writer) {
	j.run = j.journal.head.Run
	if n := len(j.journal.done); n > 0 {
		output.Say(stderr, "tasklab: an interrupted run goes on, which has read %s\n", output.Count(n, "file"))
	}
}

// work reads all files. If ctx ends, what is left undone is cancelled, unless there is a journal.
func (j *shared) work(ctx context.Context, d progress.Display, grace time.Duration) error {
	hide := progress.Show(d, j.view)
	defer hide()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var others, receiving sync.WaitGroup
	defer others.Wait()
	defer stop()
	others.Go(func() { j.crew.watch(watching) })
	if d.WantsTotal() {
		others.Go(func() { j.counted.Store(countFiles(watching, j.files)) })
	}
	for range receivers {
		receiving.Go(func() {
			for h := range j.pending {
				if !j.receive(ctx, h) {
					j.leave(h.task.Name())
				}
			}
		})
	}
	err := j.feed(ctx)
	close(j.pending)
	receiving.Wait()
	j.elapsed = time.Since(j.start)
	if j.journal == nil {
		j.cancel(ctx, grace)
	}
	if ctx.Err() != nil {
		return nil // the report says so
	}
	return err
}

// feed walks the files and submits them.
func (j *shared) feed(ctx context.Context) error {
	var batch []foundFile
	flush := func() error {
		err := j.submit(ctx, batch)
		batch = nil
		return err
	}
	err := workload.Walk(ctx, j.files, workload.Visitor{
		File: func(path string, entry fs.DirEntry) error {
			t := j.reader.Task(path, entry)
			j.results.found(t)
			info, err := entry.Info()
			if err != nil {
				j.end(t, measure.Executions{Failure: err, Attempts: 1})
				return nil
			}
			in := cluster.NewFile(j.dir, path, info)
			if read, ok := j.journal.read(in); ok {
				j.succeed(t, &read)
				return nil
			}
			if batch = append(batch, foundFile{t, in}); len(batch) == batchSize {
				return flush()
			}
			return nil
		},
		Skipped: j.results.skipped,
		Failed:  j.results.unreadable,
	})
	if err != nil {
		return err
	}
	return flush()
}

// submit submits files, as soon as there is room for them.
func (j *shared) submit(ctx context.Context, batch []foundFile) error {
	items := make([]nats.Item[cluster.File], len(batch))
	for i, f := range batch {
		select {
		case j.room <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		name, id := j.nameOf(&f)
		items[i] = nats.Item[cluster.File]{Name: name, In: f.in, Options: []nats.SubmitOption{nats.WithID(id)}}
	}
	for len(items) > 0 {
		tasks, err := nats.SubmitAll(ctx, j.cluster.Client, items, nats.WithKind(cluster.Kind), nats.WithResult(keptFor))
		switch {
		case err == nil:
			for i, t := range tasks {
				j.pending <- handedOut{t, batch[i].file, batch[i].in}
			}
			return nil
		case errors.Is(err, taskmanager.ErrQueueFull):
			if !pause(ctx, fullPause) {
				return context.Cause(ctx)
			}
		case errors.Is(err, taskmanager.ErrAlreadyExists): // tasks of the interrupted run are outstanding
			return j.submitSingly(ctx, batch, items)
		default:
			for _, item := range items { // the end of the context may have come before the answer
				j.leave(item.Name)
			}
			return submitFailed(err)
		}
	}
	return nil
}

func submitFailed(err error) error { return fmt.Errorf("tasklab: submit to the cluster: %w", err) }

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// submitSingly submits files of which some are outstanding. A file that has changed since it was submitted replaces
// the task of what it was.
func (j *shared) submitSingly(ctx context.Context, batch []foundFile, items []nats.Item[cluster.File]) error {
	i := 0
	defer func() { // the end of the context may have come before an answer
		for ; i < len(items); i++ {
			j.leave(items[i].Name)
		}
	}()
	for i < len(items) {
		item := items[i]
		t, err := nats.Submit(ctx, j.cluster.Client, item.Name, item.In, append(item.Options, nats.WithKind(cluster.Kind), nats.WithResult(keptFor))...)
		switch {
		case err == nil:
			j.pending <- handedOut{t, batch[i].file, batch[i].in}
			i++
		case errors.Is(err, taskmanager.ErrAlreadyExists):
			if _, err := j.cluster.Client.Cancel(ctx, item.Name); err != nil {
				return submitFailed(err)
			}
			fallthrough // a running task ends a moment later
		case errors.Is(err, taskmanager.ErrQueueFull):
			if !pause(ctx, fullPause) {
				return context.Cause(ctx)
			}
		default:
			return submitFailed(err)
		}
	}
	return nil
}

// nameLimit is how long the name of a task may be in a subject, where most punctuation takes three bytes.
const nameLimit = 512

// nameOf returns the name of the task of a file, which a command that continues the run gives it too, and its id, which is
// that of the file as it is now.
func (j *shared) nameOf(f *foundFile) (name, id string) {
	name = j.run + "/" + f.file.Name()
	length := 0
	for i := range len(name) {
		length++
		if c := name[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '/' && c != '-' && c != '_' {
			length += 2
		}
	}
	if length > nameLimit {
		sum := sha256.Sum256(f.in.Path)
		name = j.run + "/long path " + hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte(name + "\x00" + strconv.FormatInt(f.in.Size, 36) + "\x00" + strconv.FormatInt(f.in.Modified, 36)))
	return name, hex.EncodeToString(sum[:16])
}

// receive waits for the result of a file, and reports whether there is one.
func (j *shared) receive(ctx context.Context, h handedOut) bool {
	read, err := nats.Result[cluster.Read](ctx, h.task)
	if err != nil && ctx.Err() != nil {
		return false
	}
	<-j.room
	if err == nil {
		j.journal.add(h.in, read)
		j.succeed(h.file, &read)
		return true
	}
	e := measure.Executions{Submitted: h.file.Submitted, Allowed: never, QueueWait: time.Since(h.file.Submitted), Failure: err}
	if failed, ok := errors.AsType[*nats.ResultError](err); ok {
		e.Attempts, e.Failure = failureOf(failed.Text)
	}
	j.end(h.file, e)
	return true
}

// gaveUp is how a manager begins the text of the failure of a task that had several attempts.
var gaveUp = regexp.MustCompile(`^taskmanager: the restart policy gave up after (\d+) failures? in a row: `)

// failureOf returns why a file was not read, and how often that was tried, as far as the text tells.
func failureOf(text string) (attempts int, err error) {
	if m := gaveUp.FindStringSubmatch(text); m != nil {
		attempts, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return attempts, errors.New(text) //nolint:err113 // the report names the file
}

// never is the deadline of files that wait in a cluster, where the discipline deadline does not apply.
const never = math.MaxInt64

// succeed records a file that was read.
func (j *shared) succeed(t *workload.File, read *cluster.Read) {
	j.results.readBy(read.Process, read.Bytes)
	t.Adopt(measure.Executions{
		Submitted: t.Submitted, Allowed: never, Attempts: max(1, read.Attempt), RunTime: read.RunTime,
		QueueWait: max(0, time.Since(t.Submitted)-read.RunTime),
	}, read.Content())
	j.results.ended(t, nil)
	j.told(int(j.ended.Add(1)))
}

// end records a file that failed.
func (j *shared) end(t *workload.File, e measure.Executions) {
	t.Adopt(e, workload.Content{})
	j.results.ended(t, e.Failure)
	j.told(int(j.ended.Add(1)))
}

// leave notes a task that may be outstanding and for which nobody waits.
func (j *shared) leave(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.left = append(j.left, name)
}

// cancel cancels what is left undone, for as long as the grace period allows. It is called when nothing else runs.
func (j *shared) cancel(ctx context.Context, grace time.Duration) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer stop()
	var cancelling sync.WaitGroup
	defer cancelling.Wait()
	next := make(chan string)
	defer close(next)
	for range min(receivers, len(j.left)) {
		cancelling.Go(func() {
			for name := range next {
				_, _ = j.cluster.Client.Cancel(ctx, name) // the workers run what remains
			}
		})
	}
	for _, name := range j.left {
		select {
		case next <- name:
		case <-ctx.Done():
			return
		}
	}
}

// measured returns what was measured as a whole.
func (j *shared) measured() measured {
	return measured{j.elapsed, j.crew.peakWorkers.Load(), j.crew.peakBusy.Load()}
}

// view returns what a display shows of the run.
func (j *shared) view() progress.View {
	c, v := j.results.now(), j.crew.view()
	v.Tally, v.Unreadable = c.Tally, c.unreadable
	v.Total = max(c.Found, int(j.counted.Load()))
	v.Elapsed = time.Since(j.start)
	if v.Note == "" {
		v.Note = fmt.Sprintf("%s, %s handed out", j.crew.size(), output.Count(len(j.room), "file"))
	}
	return v
}
