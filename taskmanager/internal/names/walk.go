package names

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"
)

// Cursor is a place in the table, at which a walk continues. The zero Cursor is the begin.
type Cursor struct {
	shard    uint32
	era      uint32 // of the position; see shard
	position uint32 // the least one of the entries that follow
}

// Item is a task that a walk has found, and the place after it.
type Item[T any] struct {
	Task *T
	Next Cursor
}

// renumberAt is the position from which on a compaction numbers the entries anew. A list has at
// most 2^indexBits entries, so no position overflows before the next compaction.
const renumberAt = 1 << 31

// Done reports whether the cursor is at the end of the table.
func (c Cursor) Done() bool { return c.shard >= shardCount }

// Read copies tasks, which may have ended, from the place c on, and returns their number and the
// place where the walk continues. It looks at no more than len(into) entries of one shard, in use
// or free, and holds the lock of the shard meanwhile; it does not touch the tasks. There may be no
// tasks in a portion before the end.
//
// A walk in portions finds no task twice, and each task that is outstanding from its begin to its end.
// A task has one entry for its life. The entry keeps its position when the list grows and when
// it is compacted, positions ascend in the list, and the walk visits them in that order. The
// exception is a walk during which more than 2^31 entries are appended to the list of a shard, and the
// list is compacted: it walks over that shard again.
//
// The place is found by binary search.
func (t *Table[T]) Read(c Cursor, into []Item[T]) (n int, next Cursor) {
	if c.Done() {
		return 0, c
	}
	s := &t.shards[c.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.era != s.era { // the walk is at the begin of the shard, or is the exception
		c.era, c.position = s.era, 0
	}
	first, _ := slices.BinarySearchFunc(s.entries, c.position, entry[T].compare)
	last := min(first+len(into), len(s.entries))
	for i := first; i < last; i++ {
		e := &s.entries[i]
		c.position = e.position + 1
		if e.task != nil {
			into[n] = Item[T]{e.task, c}
			n++
		}
	}
	if last == len(s.entries) {
		c = Cursor{shard: c.shard + 1}
	}
	return n, c
}

// compare compares the position of an entry with another one.
func (e entry[T]) compare(position uint32) int {
	return cmp.Compare(e.position, position)
}

// portion is the number of entries that All reads while it holds the lock of a shard.
const portion = 256

// All ranges over the outstanding tasks, in no particular order. A task that is added or
// ends during the loop may be included or not. No lock is held while the loop body runs.
func (t *Table[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		var part [portion]Item[T]
		for at := (Cursor{}); !at.Done(); {
			n, next := t.Read(at, part[:])
			for _, item := range part[:n] {
				if !t.ended(item.Task) && !yield(item.Task) {
					return
				}
			}
			at = next
		}
	}
}

// Text returns a cursor as text without special characters. It is bound to the table.
func (t *Table[T]) Text(c Cursor) string {
	b := c.bytes()
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, t.checksum(b)))
}

// Parse returns the cursor of a text. It reports false if Text of this table has not returned the
// text.
func (t *Table[T]) Parse(text string) (c Cursor, ok bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(16) {
		return c, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 16 { // line breaks are left out
		return c, false
	}
	c = Cursor{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
	return c, binary.BigEndian.Uint32(b[12:]) == t.checksum(b[:12])
}

func (c Cursor) bytes() []byte {
	b := make([]byte, 0, 16)
	b = binary.BigEndian.AppendUint32(b, c.shard)
	b = binary.BigEndian.AppendUint32(b, c.era)
	return binary.BigEndian.AppendUint32(b, c.position)
}

// checksum differs from table to table, since the seeds are random.
func (t *Table[T]) checksum(b []byte) uint32 {
	return uint32(maphash.Bytes(t.seed, b)) //nolint:gosec // half of it is enough
}
