package queuetest

import "slices"

// previews is correct. It is a FIFO that tells its order.
type previews struct{ base }

func (q *previews) CanPreview() bool { return true }

func (q *previews) Preview(n int) []*Item { return slices.Clone(q.items[:min(n, len(q.items))]) }

// cannotPreview is correct. Its CanPreview returns false, so Preview must not be called.
type cannotPreview struct{ base }

func (q *cannotPreview) CanPreview() bool { return false }

func (q *cannotPreview) Preview(int) []*Item { panic("Preview called although CanPreview is false") }

type previewsTooMany struct{ previews }

func (q *previewsTooMany) Preview(int) []*Item { return slices.Clone(q.items) }

type previewsTooFew struct{ previews }

func (q *previewsTooFew) Preview(n int) []*Item { return q.previews.Preview(n - 1) }

type previewsBackwards struct{ previews }

func (q *previewsBackwards) Preview(n int) []*Item {
	items := q.previews.Preview(n)
	slices.Reverse(items)
	return items
}

type takesWhatItPreviews struct{ previews }

func (q *takesWhatItPreviews) Preview(n int) []*Item {
	items := q.previews.Preview(n)
	q.items = q.items[len(items):]
	return items
}
