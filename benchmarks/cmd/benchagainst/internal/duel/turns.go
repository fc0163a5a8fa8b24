package duel

import (
	"errors"
	"fmt"
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

// turns measures the lanes in turns. The lanes change their order from round to round, so
// that none always comes after the same other one. After some rounds all sessions are opened
// again, since the speed of a session depends on where its memory happens to be.
func turns(lanes []*lane, rounds, sitting int, measure func(drive.Session) ([]float64, error)) error {
	for first := 0; first < rounds; first += sitting {
		if err := sit(lanes, first, min(sitting, rounds-first), measure); err != nil {
			return err
		}
	}
	return nil
}

// sit opens the sessions, measures rounds after one that does not count, and closes the
// sessions.
func sit(lanes []*lane, first, rounds int, measure func(drive.Session) ([]float64, error)) (err error) {
	lanes = slices.Clone(lanes)
	if first%2 == 1 {
		slices.Reverse(lanes)
	}
	defer func() {
		for _, l := range lanes {
			if l.session != nil {
				err = errors.Join(err, l.session.Close())
				l.session = nil
			}
		}
	}()
	for _, l := range lanes {
		if l.session, err = l.open(); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if _, err := measure(l.session); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	for range rounds {
		for _, l := range lanes {
			values, err := measure(l.session)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			l.add(values)
		}
		slices.Reverse(lanes)
	}
	return nil
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

// ratios returns the ratio of two numbers in each round.
func ratios(over, under []float64) []float64 {
	list := make([]float64, len(over))
	for i := range over {
		list[i] = over[i] / under[i]
	}
	return list
}
