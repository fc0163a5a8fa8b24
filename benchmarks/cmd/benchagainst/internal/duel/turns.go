package duel

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed56799101/taskmanager/benchmarks/internal/drive"
)

// lane is a session that takes turns with others.
type lane struct {
	name    string
	open    func() (drive.Session, error)
	session drive.Session
	values  [][]float64 // of each figure, in each round
}

// turns measures the lanes in turns. After some rounds all sessions are opened again, since
// the speed of a session depends on where its memory happens to be.
func turns(lanes []*lane, rounds, sitting int, measure func(drive.Session) ([]float64, error)) error {
	for first := 0; first < rounds; first += sitting {
		if err := sit(lanes, min(sitting, rounds-first), measure); err != nil {
			return err
		}
	}
	return nil
}

// sit opens the sessions, measures rounds after one that does not count, and closes the
// sessions.
func sit(lanes []*lane, rounds int, measure func(drive.Session) ([]float64, error)) (err error) {
	order := slices.Clone(lanes)
	defer func() {
		for _, l := range lanes {
			if l.session != nil {
				err = errors.Join(err, l.session.Close())
				l.session = nil
			}
		}
	}()
	shuffle(order)
	for _, l := range order {
		if l.session, err = l.open(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	for round := range 1 + rounds {
		for _, l := range order {
			values, err := measure(l.session)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			if round > 0 {
				l.add(values)
			}
		}
		// Each lane must follow each other one, and itself, equally often, as a lane leaves
		// its data in the caches of the processors. Two rounds of opposite order also cancel
		// a drift of the speed of the machine.
		if round%2 == 1 {
			slices.Reverse(order)
		} else {
			shuffle(order)
		}
	}
	return nil
}

func shuffle(order []*lane) {
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
}

// add adds the values of a round.
func (l *lane) add(values []float64) {
	if l.values == nil {
		l.values = make([][]float64, len(values))
	}
	for i, v := range values {
		l.values[i] = append(l.values[i], v)
	}
}

// Ratios returns the ratio in each round. The ratio of equal values is 1, also if they are 0. The
// ratio of another value to 0 counts as a million, since JSON has no infinity.
func Ratios(over, under []float64) []float64 {
	const million = 1e6
	list := make([]float64, len(over))
	for i := range list {
		list[i] = 1
		if over[i] != under[i] {
			list[i] = min(over[i]/under[i], million)
		}
	}
	return list
}
