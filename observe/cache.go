package observe

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache keeps what is made of a key. There should be few of them, so each new one copies the
// map, and a look costs neither a lock nor an allocation. What comes when it is full is made
// each time.
type cache[K comparable, V any] struct {
	made atomic.Pointer[map[K]V]
	mu   sync.Mutex // held to add
}

// cached is how many keys a cache keeps.
const cached = 1000

// of is what build has made of a key, now or before.
func (c *cache[K, V]) of(key K, build func(K) V) V {
	v, _ := c.kept(key, build)
	return v
}

// kept is of, and tells whether the next call with that key returns the same.
func (c *cache[K, V]) kept(key K, build func(K) V) (v V, kept bool) {
	if v, ok := c.look()[key]; ok {
		return v, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.look()
	if v, ok := made[key]; ok { // by somebody else, meanwhile
		return v, true
	}
	v = build(key)
	if len(made) == cached {
		return v, false
	}
	more := map[K]V{key: v}
	maps.Copy(more, made)
	c.made.Store(&more)
	return v, true
}

// look is what there is; it does not change.
func (c *cache[K, V]) look() map[K]V {
	if made := c.made.Load(); made != nil {
		return *made
	}
	return nil
}
