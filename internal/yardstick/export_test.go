package yardstick

import "time"

// Summarise exports summarise.
func Summarise(runs []float64, planned int) Transfer { return summarise(runs, planned) }

// Halves returns the two sides of an exchange over one line, and the reply to a question.
func Halves() (ask func(runs, trips int, limit time.Duration) []float64, answer func(), reply func(question uint32)) {
	l := new(line)
	return l.ask, l.answer, l.reply
}
