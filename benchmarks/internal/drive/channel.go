package drive

import "sync"

// NewSession makes a session of functions.
func NewSession(submit func(task func()) error, end func() error) Session {
	return functions{submit, end}
}

type functions struct {
	submit func(task func()) error
	end    func() error
}

// Submit calls submit n times.
func (f functions) Submit(_, n int, task func()) error {
	for range n {
		if err := f.submit(task); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the pool.
func (f functions) Close() error { return f.end() }

// OpenChannel starts workers that range over a buffered channel, the simplest pool.
func OpenChannel(workers int) Session {
	const buffer = 1024
	submitted := make(chan func(), buffer)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for task := range submitted {
				task()
			}
		})
	}
	return NewSession(
		func(task func()) error { submitted <- task; return nil },
		func() error { close(submitted); running.Wait(); return nil },
	)
}
