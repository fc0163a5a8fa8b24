package load_test

import (
	"fmt"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/load"
)

func ExampleLoad() {
	w := load.Load{
		Arrivals: load.Steady{Rate: 2},
		Service:  load.Constant{Mean: 100 * time.Millisecond},
		Duration: 2 * time.Second,
		Tenants:  []load.Tenant{{Key: "shop", Share: 1, Kind: "mail"}},
	}.Workload()
	for job, err := range w {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("at", job.At, "a", job.Kind, "of", job.Key, "that takes", job.Service)
	}
	// Output:
	// at 0s a mail of shop that takes 100ms
	// at 500ms a mail of shop that takes 100ms
	// at 1s a mail of shop that takes 100ms
	// at 1.5s a mail of shop that takes 100ms
}

// Two tenants with processes of arrivals of their own: one submits everything at once.
func ExampleMerge() {
	tenant := func(key string, a load.Arrivals, jobs int) load.Load {
		return load.Load{
			Arrivals: a, Service: load.Exponential{Mean: 20 * time.Millisecond}, Jobs: jobs,
			Tenants: []load.Tenant{{Key: key, Share: 1}},
		}
	}
	count := map[string]int{}
	for job, err := range load.Merge(
		tenant("large", load.Burst{Rate: 3000}, 3000).Workload(),
		tenant("small", load.Poisson{Rate: 1}, 30).Workload()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		count[job.Key]++
	}
	fmt.Println(count)
	// Output: map[large:3000 small:30]
}
