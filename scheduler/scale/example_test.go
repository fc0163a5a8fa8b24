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

// reserve is a scaler of one's own: what runs and what waits, and a tenth of
// the maximum in reserve.
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

// memory is a signal of one's own: what the process uses, in bytes.
type memory struct {
	scale.Snapshot
	inUse uint64
}

// readMemory asks the runtime.
func readMemory(s scale.Snapshot) memory {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return memory{Snapshot: s, inUse: sample[0].Value.Uint64()}
}

// frugal has a worker for each item that runs or waits, as long as there is memory
// for all of them: what the process uses otherwise, and a share for each worker.
type frugal struct{ limit, perWorker uint64 }

func (f frugal) Scale(m memory) scale.Decision {
	otherwise := m.inUse - min(m.inUse, uint64(m.Busy)*f.perWorker)
	most := int((f.limit - min(otherwise, f.limit)) / f.perWorker)
	wanted := min(m.Busy+m.Queued+m.Blocked, most)
	return scale.Decision{
		Target: max(min(wanted, m.Max), m.Min),
		Again:  time.Second, // memory may have been given back
		Reason: fmt.Sprintf("memory for %d", most),
	}
}

// A pool is held back by the memory in use: with items of 32 MB, and three and a half
// times that to spare, no more than three run at once.
func ExampleWithSignals() {
	const item = 32 << 20
	runtime.GC() // or garbage that goes later would make room for a fourth
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
