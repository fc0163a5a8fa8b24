package delay

// Room returns the number of entries for which the queue has memory.
func (q *Queue) Room() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return cap(q.heap)
}
