package load

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/seed56799101/taskmanager/taskmanager/simulate/workload"
)

// Load describes a synthetic workload. A job has
//
//   - the key and the kind of a tenant, which is drawn by the shares of the tenants;
//   - a service time of the distribution of its tenant;
//   - a priority from 0 to 3, all equally likely;
//   - as cost its service time in microseconds, and at least 1;
//   - a deadline that is 1 to 10 mean service times of its tenant after the arrival, uniformly;
//   - a number of failures, see Failure.
type Load struct {
	Arrivals Arrivals // when jobs arrive; required
	Service  Service  // how long they take; required unless all tenants have their own

	Duration time.Duration // jobs arrive before it; 0: as long as Jobs says
	Jobs     int           // the most jobs; 0: as many as arrive before Duration

	Seed uint64

	// Tenants are those who submit the jobs. Nil stands for [DefaultTenants].
	Tenants []Tenant

	// Failure is the probability that an execution fails, from 0 up to but excluding 1. The
	// failures of a job before it succeeds thus have a geometric distribution.
	Failure float64
}

// Tenant submits a share of the jobs.
type Tenant struct {
	Key     string  // the key of the jobs; different for each tenant
	Share   float64 // the share of the jobs, in proportion to those of the other tenants
	Weight  int     // the weight for fair scheduling, see [Load.Weight]; 0 stands for 1
	Kind    string  // the kind of the jobs; may be empty
	Service Service // the service times of the jobs; nil: those of the Load
}

// DefaultTenants returns the tenants of a Load that names none: the keys a, b, c and d have 1/2,
// 1/4, 1/8 and 1/8 of the jobs.
func DefaultTenants() []Tenant {
	return []Tenant{{Key: "a", Share: 4}, {Key: "b", Share: 2}, {Key: "c", Share: 1}, {Key: "d", Share: 1}}
}

// Validate returns an error that names all faults of the Load, or nil.
func (l Load) Validate() error {
	faults := []error{
		fault(l.Duration < 0, "Duration is %v; it must not be negative", l.Duration),
		fault(l.Jobs < 0, "Jobs is %d; it must not be negative", l.Jobs),
		fault(l.Duration == 0 && l.Jobs == 0, "Duration and Jobs are 0; give at least one of them"),
		fault(!(l.Failure >= 0 && l.Failure < 1), "Failure is %v; it must be at least 0 and less than 1", l.Failure),
	}
	if l.Arrivals == nil {
		faults = append(faults, errors.New("Arrivals is nil; give a process of arrivals, such as Poisson"))
	} else if err := l.Arrivals.Validate(l.Duration); err != nil {
		faults = append(faults, fmt.Errorf("Arrivals: %w", err))
	}
	if l.Service != nil {
		if err := l.Service.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("Service: %w", err))
		}
	}
	faults = append(faults, l.validateTenants()...)
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return nil
}

func (l Load) validateTenants() (faults []error) {
	tenants := l.tenants()
	sum := 0.0
	for i, t := range tenants {
		sum += t.Share
		of := fmt.Sprintf("tenant %q", t.Key)
		faults = append(faults,
			fault(!(t.Share >= 0) || math.IsInf(t.Share, 1), "%s: Share is %v; it must be finite and not negative", of, t.Share),
			fault(t.Weight < 0, "%s: Weight is %d; it must be positive, or 0 for 1", of, t.Weight),
			fault(slices.ContainsFunc(tenants[:i], func(u Tenant) bool { return u.Key == t.Key }), "%s is given twice", of))
		switch {
		case t.Service != nil:
			if err := t.Service.Validate(); err != nil {
				faults = append(faults, fmt.Errorf("%s: Service: %w", of, err))
			}
		case l.Service == nil && l.Tenants != nil:
			faults = append(faults, fmt.Errorf("%s has no Service, nor has the Load; give a distribution, such as Exponential", of))
		}
	}
	if l.Service == nil && l.Tenants == nil {
		faults = append(faults, errors.New("Service is nil; give a distribution, such as Exponential"))
	}
	return append(faults, fault(!(sum > 0) || math.IsInf(sum, 1), "the sum of the shares of the tenants is %v; it must be positive and finite", sum))
}

// fault returns an error if wrong.
func fault(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func (l Load) tenants() []Tenant {
	if l.Tenants == nil {
		return DefaultTenants()
	}
	return l.Tenants
}

// Weight returns the weight of the tenant with a key, or 1 if there is none. It is a function for
// the discipline Fair and for simulate.WithWeights.
func (l Load) Weight(key string) int {
	for _, t := range l.Tenants {
		if t.Key == key {
			return max(t.Weight, 1)
		}
	}
	return 1
}

// The sequences of random numbers of a seed.
const (
	arrivalSequence = iota
	serviceSequence
	attributeSequence
	failureSequence
)

// Workload returns the jobs. If the Load is invalid, it yields the error of Validate. The Load must
// not change afterwards.
func (l Load) Workload() workload.Jobs {
	return func(yield func(workload.Job, error) bool) {
		if err := l.Validate(); err != nil {
			yield(workload.Job{}, err)
			return
		}
		d := newDraw(l)
		n := 0
		for at := range l.Arrivals.Times(l.Duration, rand.New(rand.NewPCG(l.Seed, arrivalSequence))) {
			if l.Duration > 0 && at >= l.Duration || !yield(d.job(at), nil) {
				return
			}
			if n++; n == l.Jobs {
				return
			}
		}
	}
}

// draw draws jobs.
type draw struct {
	tenants                       []tenant
	shares                        float64
	service, attributes, failures *rand.Rand
	failure                       float64
}

// tenant is a Tenant with what is computed once.
type tenant struct {
	Tenant
	service func(*rand.Rand) time.Duration
	mean    time.Duration
}

func newDraw(l Load) *draw {
	source := func(sequence uint64) *rand.Rand { return rand.New(rand.NewPCG(l.Seed, sequence)) }
	d := draw{
		service:    source(serviceSequence),
		attributes: source(attributeSequence),
		failures:   source(failureSequence),
		failure:    l.Failure,
	}
	for _, t := range l.tenants() {
		s := t.Service
		if s == nil {
			s = l.Service
		}
		d.shares += t.Share
		d.tenants = append(d.tenants, tenant{t, s.Sampler(), s.Expected()})
	}
	return &d
}

// job draws a job.
func (d *draw) job(at time.Duration) workload.Job {
	t := d.tenant(d.attributes.Float64() * d.shares)
	j := workload.Job{
		At:       at,
		Service:  t.service(d.service),
		Kind:     t.Kind,
		Key:      t.Key,
		Priority: d.attributes.IntN(4),
		Deadline: duration((1 + 9*d.attributes.Float64()) * float64(t.mean)),
	}
	j.Cost = max(1, j.Service.Microseconds())
	if d.failure > 0 {
		// Inversion of the geometric distribution. It takes one number, so the sequence stays in step.
		j.Fails = int(min(math.Log(1-d.failures.Float64())/math.Log(d.failure), math.MaxInt32))
	}
	return j
}

// tenant returns the tenant in whose part of the sum of the shares x lies.
func (d *draw) tenant(x float64) *tenant {
	for i := range d.tenants {
		if x -= d.tenants[i].Share; x < 0 {
			return &d.tenants[i]
		}
	}
	for i := range slices.Backward(d.tenants) { // after rounding
		if d.tenants[i].Share > 0 {
			return &d.tenants[i]
		}
	}
	panic("load: no tenant has a share") // Validate has checked it
}

// duration rounds a number of nanoseconds, and limits it to the longest time.
func duration(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(ns))
}
