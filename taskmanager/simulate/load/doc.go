// Package load generates synthetic workloads for package simulate.
//
// A [Load] combines a process of arrivals with a distribution of service times, and with the tenants
// among which the jobs are divided. It is a value; its method Workload returns the jobs as a stream,
// in constant memory whatever their number:
//
//	w := load.Load{
//		Arrivals: load.Poisson{Rate: 100},
//		Service:  load.Exponential{Mean: 50 * time.Millisecond},
//		Duration: time.Hour,
//	}.Workload()
//
// A workload is a function of the Load: the same one yields the same jobs each time,
// and several goroutines may iterate it at the same time. Arrivals, service times, attributes and
// failures have sources of random numbers of their own. So with the same seed, the n-th job is the
// same for all processes of arrivals, and has the same attributes for all distributions of service
// times. Differences between two simulations are then those of the settings, not noise: the method
// is that of common random numbers.
//
// # Arrivals
//
//	Steady   at equal intervals
//	Poisson  at random
//	Burst    all of a second at once
//	Step     a tenth of the rate, then the full rate, then a tenth again
//	Diurnal  at random, with a rate that rises and falls
//	OnOff    in bursts of all lengths, from sources that are on and off for heavy-tailed times
//
// # Service times
//
//	Constant     all equal
//	Exponential  the service times of Erlang's formula; the squared coefficient of variation is 1
//	Lognormal    with a given squared coefficient of variation
//	Pareto       heavy-tailed between two bounds: a few long jobs are most of the work
//
// Other processes and distributions implement [Arrivals] and [Service]. [Merge] combines workloads
// whose tenants have processes of arrivals of their own.
package load
