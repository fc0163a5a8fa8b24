package observe

import "time"

// PoolObserver observes the worker pool of a manager.
type PoolObserver interface {
	// ObservePool is called when the manager starts. The manager calls stop, which may be nil,
	// when it has stopped.
	ObservePool(p Pool) (stop func())
}

// Pool gives access to the worker pool of a manager.
type Pool struct {
	Manager  string           // the name of the manager; may be empty
	State    func() PoolState // the current state; safe for concurrent use
	Describe func() Manager   // the manager as it is now; safe for concurrent use
}

// PoolState is the state of a pool.
type PoolState struct {
	Queued, Limit        int   // tasks in the queue, and their limit; -1: no limit
	Busy, Idle, Lent     int   // workers that run a task, wait for one, or have lent their slot
	Desired, Min, Max    int   // workers that the scaler asks for, and the bounds
	Increases, Decreases int64 // decisions of the scaler so far that raised or lowered Desired
}

// Manager describes a manager: what it does now, and how it was configured. The texts are those of
// the program: they may be long and need not be valid UTF-8.
type Manager struct {
	Name       string `json:"name"`       // may be empty
	State      State  `json:"state"`      // the only field that changes
	Discipline string `json:"discipline"` // the order of waiting tasks, such as FIFO or Priority(8)
	Scaler     string `json:"scaler"`     // such as Demand(1); the type of a scaler without a String method
	Limit      int    `json:"limit"`      // how many tasks may wait; -1: no limit
	Overflow   string `json:"overflow"`   // what happens above the limit, such as Block; empty without one
}

// State is what a manager does.
type State string

// The states of a manager. A manager is running or paused, any number of times, then draining and
// at last stopped.
const (
	StateRunning  State = "running"
	StatePaused   State = "paused"   // accepts tasks and starts none
	StateDraining State = "draining" // accepts no tasks, and waits for the end of the outstanding ones
	StateStopped  State = "stopped"  // has ended: no task is outstanding, and no worker is left
)

// DecisionObserver observes the decisions of the scaler.
type DecisionObserver interface {
	// ScalerDecided is called for each decision that changes the number of workers that the
	// manager should have, so none is missed. Calls may overlap and come out of order; the numbers
	// of the decisions tell the order. The first call may come before the manager's constructor
	// has returned. A goroutine that submits a task, or a worker, may wait for the call to return.
	ScalerDecided(d Decision)
}

// Decision is a decision of the scaler of a manager.
type Decision struct {
	Manager string    `json:"manager"`     // the name of the manager; may be empty
	Number  uint64    `json:"number"`      // of the decision, from 1; no number is left out
	At      time.Time `json:"at,omitzero"` // time of the decision
	Workers int       `json:"workers"`     // number of workers before it
	Target  int       `json:"target"`      // number of workers that the manager should have, within its bounds
	Reason  string    `json:"reason"`      // explanation by the scaler
}
