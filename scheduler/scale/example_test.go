package scale_test

import (
	"context"
	"fmt"
	"log"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/seed56799101/taskmanager/scheduler"
	"github.com/seed56799101/taskmanager/scheduler/scale"
)

// reserve is a scaler of your own. It asks for a worker for each item that runs or waits,
// and for a reserve of a tenth of the maximum.
type reserve struct{}

func (reserve) NeedsTime() bool { return false }

func (reserve) Scale(s scale.Snapshot) scale.Decision {
	return scale.Decision{Target: s.Busy + s.Queued + s.Max/10, Reason: "demand and a reserve"}
}

func ExampleScaler() {
	pool, err := scheduler.NewPool(
		scheduler.Config[func()]{Max: 50, Scaler: reserve{}},
		func(_ int32, work func()) { work() },
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Snapshot().Workers, "workers before the first item")
	if err := pool.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: 5 workers before the first item
}

// memory adds a signal of your own: the heap memory in use, in bytes.
type memory struct {
	scale.Snapshot
	inUse uint64
}

// readMemory gets the signal from the Go runtime.
func readMemory(s scale.Snapshot) memory {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return memory{Snapshot: s, inUse: sample[0].Value.Uint64()}
}

// frugal asks for a worker for each item that runs or waits, as long as the memory for
// all workers, plus the memory that the process uses otherwise, stays below the limit.
type frugal struct{ limit, perWorker uint64 }

func (f frugal) Scale(m memory) scale.Decision {
	otherwise := m.inUse - min(m.inUse, uint64(m.Busy)*f.perWorker)
	most := int((f.limit - min(otherwise, f.limit)) / f.perWorker)
	wanted := min(m.Busy+m.Queued+m.Blocked, most)
	return scale.Decision{
		Target: max(min(wanted, m.Max), m.Min),
		Again:  time.Second, // memory may have been freed meanwhile
		Reason: fmt.Sprintf("memory for %d", most),
	}
}

// The memory in use limits a pool: items take 32 MB each, and with three and a half times
// that to spare, no more than three run at once.
func ExampleWithSignals() {
	const item = 32 << 20
	runtime.GC() // otherwise garbage collected later would make room for a fourth
	limit := readMemory(scale.Snapshot{}).inUse + 3*item + item/2
	started, release := make(chan struct{}), make(chan struct{})
	pool, err := scheduler.NewPool(
		scheduler.Config[int]{Max: 50, Scaler: scale.WithSignals(readMemory, frugal{limit, item})},
		func(int32, int) {
			buffer := make([]byte, item)
			started <- struct{}{}
			<-release
			runtime.KeepAlive(buffer)
		},
	)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 10 {
		if err := pool.Submit(context.Background(), i); err != nil {
			log.Fatal(err)
		}
		if i < 3 {
			<-started
		}
	}
	fmt.Println(pool.Snapshot().Workers, "workers for 10 items")
	close(release)
	for range 7 {
		<-started
	}
	if err := pool.Drain(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: 3 workers for 10 items
}
