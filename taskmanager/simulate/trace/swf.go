package trace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
)

// swfColumns are the columns of the Standard Workload Format that become fields of a job. The
// others are skipped.
const (
	swfSubmit     = 1
	swfRun        = 3
	swfProcessors = 4
	swfRequested  = 7
	swfUser       = 11
	swfProgram    = 13
	swfQueue      = 14

	swfColumns = 18
)

// SWF returns the Standard Workload Format of the Parallel Workloads Archive: lines of 18 numbers,
// separated by blanks. Lines that begin with a semicolon are comments, and −1 stands for an unknown value.
//
//	At       the submit time, relative to the first job
//	Service  the run time
//	Kind     the executable, such as app7; or else the queue, such as queue2
//	Key      the user, such as user5
//	Cost     the number of processors allocated, or else requested
//
// Jobs must be in order of submit time, see [Format.Window]. A job whose submit time or run time is
// unknown is skipped; [Format.OnSkip] is told. A job that was cancelled before it ran has the run time 0.
// A replay gives each job one worker, however many processors it had.
//
// S. Chapin and others: Benchmarks and standards for the evaluation of parallel job schedulers, JSSPP
// 1999, LNCS 1659; https://www.cs.huji.ac.il/labs/parallel/workload/swf.html.
func SWF() Format { return Format{read: readSWF} }

func readSWF(in *input) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		in.relative = true
		texts := make(texts)
		var cells [swfColumns][]byte
		for {
			line, err := in.lines.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(row{}, err)
				return
			}
			if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == ';' {
				continue
			}
			if n := split(line, cells[:]); n != swfColumns {
				yield(row{}, fmt.Errorf("the line has %s, but the Standard Workload Format has %d", count(n, "column"), swfColumns))
				return
			}
			r, unknown, err := swfRow(&cells, texts)
			if unknown != "" {
				in.skip(in.lines.number, fmt.Errorf("the %s is unknown", unknown))
				continue
			}
			r.line = in.lines.number
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// split splits a line at blanks into cells, and returns how many there are, also if there are more.
func split(line []byte, cells [][]byte) (n int) {
	for cell := range bytes.FieldsSeq(line) {
		if n < len(cells) {
			cells[n] = cell
		}
		n++
	}
	return n
}

// unknown reports whether a cell says that the value is unknown.
func unknown(cell []byte) bool { return string(cell) == "-1" }

// swfRow returns the row of a line, or which value is unknown.
func swfRow(cells *[swfColumns][]byte, texts texts) (r row, missing string, err error) {
	switch {
	case unknown(cells[swfSubmit]):
		return r, "submit time", nil
	case unknown(cells[swfRun]):
		return r, "run time", nil
	}
	fail := func(column string, problem error) {
		if problem != nil && err == nil {
			err = fmt.Errorf("the %s: %w", column, problem)
		}
	}
	var problem error
	r.At, problem = seconds(cells[swfSubmit])
	fail("submit time", problem)
	r.Service, problem = seconds(cells[swfRun])
	fail("run time", problem)
	for _, i := range []int{swfProcessors, swfRequested} {
		if r.Cost == 0 && !unknown(cells[i]) {
			r.Cost, problem = natural[int64](cells[i])
			fail("number of processors", problem)
		}
	}
	name := func(i int, column, prefix string) string {
		if unknown(cells[i]) {
			return ""
		}
		_, problem := natural[int64](cells[i])
		fail(column, problem)
		return texts.of(append([]byte(prefix), cells[i]...))
	}
	r.Key = name(swfUser, "user", "user")
	if r.Kind = name(swfProgram, "executable", "app"); r.Kind == "" {
		r.Kind = name(swfQueue, "queue", "queue")
	}
	return r, "", err
}
