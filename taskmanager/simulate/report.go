package simulate

import "time"

// Report is the result of a replay.
type Report struct {
	// Partial means that the replay was ended early: the report covers what had happened by then.
	Partial bool

	Total Group   // all jobs
	Keys  []Group // the jobs of each key, in the order of the keys
	Kinds []Group // the jobs of each kind, in the order of the kinds

	Elapsed     time.Duration // from the start of the manager to the end of the last job
	WorkerTime  float64       // sum of the lifetimes of the workers, in worker-seconds: the cost of the setting
	PeakWorkers int           // the largest number of workers that the scaler asked for, and so the most that there were
	Turns       int           // how often the scaler changed from raising its target to lowering it, or back
	Decisions   int           // decisions of the scaler that changed its target

	// Jain is Jain's fairness index over the keys that had to wait while other keys waited too:
	// 1 if, in proportion to their weights, all of them then had equally many workers, and 1/n
	// if one of n keys had them all. It is 1 if keys never competed.
	//
	// R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness and Discrimination for
	// Resource Allocation in Shared Computer Systems, DEC-TR-301, 1984.
	Jain float64

	// Series has what happened over time, in at most 512 intervals of equal length.
	Series []Interval
}

// Group is what a replay measured of a group of jobs.
type Group struct {
	Name string // the key or the kind

	Jobs       int // that arrived: the sum of the next six
	Done       int // succeeded
	Failed     int // failed, and were not restarted
	Shed       int // given up by the discipline, because they waited too long
	Dropped    int // given up or refused because the queue was full
	Cancelled  int // ended by a limit on their time, or by the manager
	Unfinished int // not ended when the replay was

	Late     int // jobs that started after their deadlines
	Restarts int // executions other than the first of a job

	Wait     Distribution // from the arrival to the first execution, of the jobs that started
	Run      Distribution // of the executions
	Sojourn  Distribution // from the arrival to the end, of the jobs that succeeded or failed
	Slowdown Ratios       // sojourn divided by the service times of the executions, of the same jobs with a service time
}

// Interval is a part of the time of a replay.
type Interval struct {
	At       time.Duration // when it begins
	Length   time.Duration
	Arrivals int           // jobs that arrived
	Offered  float64       // work that arrived, divided by the length: workers needed to keep up
	Workers  float64       // the mean number of workers
	Busy     float64       // the mean number of workers that ran a task
	Queued   float64       // the mean number of jobs that waited
	Started  int           // jobs that started
	MeanWait time.Duration // of the jobs that started
	MaxWait  time.Duration

	Decisions int      // decisions of the scaler that changed its target
	Decision  Decision // the last of them
}

// Decision is a decision of the scaler.
type Decision struct {
	At      time.Duration // since the start of the replay
	Workers int           // the number of workers before it
	Target  int           // the number that the manager should have
	Reason  string        // explanation by the scaler
}
