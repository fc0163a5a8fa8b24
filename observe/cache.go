package observe

import (
	"maps"
	"sync"
	"sync/atomic"
)

// cache stores values that are derived from keys. A lookup takes neither a lock nor an allocation; a
// new key copies the whole map, since there should be few keys. When the cache is full, values of
// further keys are built at each call.
type cache[K comparable, V any] struct {
	made atomic.Pointer[map[K]V]
	mu   sync.Mutex // held to add
}

// cached is the maximum number of keys in a cache.
const cached = 1000

// of returns the value of a key, which build makes at the first call.
func (c *cache[K, V]) of(key K, build func(K) V) V {
	v, _ := c.kept(key, build)
	return v
}

// kept is of, and reports whether the cache holds the value: the next call then returns the same one.
func (c *cache[K, V]) kept(key K, build func(K) V) (v V, kept bool) {
	if v, ok := c.look()[key]; ok {
		return v, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.look()
	if v, ok := made[key]; ok { // another goroutine was first
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

// look returns the current map, which never changes.
func (c *cache[K, V]) look() map[K]V {
	if made := c.made.Load(); made != nil {
		return *made
	}
	return nil
}
