package queue

// ClassesOf returns the number of sets of resources that a queue made by Resources keeps.
func ClassesOf[T any](q Queue[T]) int { return len(q.(*gate[T]).classes) }
