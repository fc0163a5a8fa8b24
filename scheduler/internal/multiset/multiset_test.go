package multiset_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed56799101/taskmanager/internal/check"
	"github.com/seed56799101/taskmanager/scheduler/internal/multiset"
)

// TestSetEqualsItsModel compares a set with a list of values for each key.
func TestSetEqualsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set multiset.Set[int]
		model := map[any][]*multiset.Entry[int]{}
		keys := rapid.SampledFrom([]any{1, 2, "1", nil, struct{ a, b any }{1, "x"}, [1]float64{2}})
		next := 0
		pick := func(t *rapid.T) (key any, i int) {
			key = keys.Draw(t, "key")
			if len(model[key]) == 0 {
				t.Skip("no entry")
			}
			return key, rapid.IntRange(0, len(model[key])-1).Draw(t, "entry")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				key, e := keys.Draw(t, "key"), new(multiset.Entry[int])
				next++
				set.Add(e, key, next)
				model[key] = append(model[key], e)
			},
			"remove": func(t *rapid.T) {
				key, i := pick(t)
				e := model[key][i]
				set.Remove(e)
				set.Remove(e) // has no effect
				if model[key] = slices.Delete(model[key], i, i+1); len(model[key]) == 0 {
					delete(model, key)
				}
			},
			"to front": func(t *rapid.T) {
				key, i := pick(t)
				e := model[key][i]
				set.ToFront(e)
				model[key] = slices.Insert(slices.Delete(model[key], i, i+1), 0, e)
			},
			"": func(t *rapid.T) {
				check.Equal(t, "empty", set.Empty(), len(model) == 0)
				for _, key := range []any{1, 2, "1", nil, struct{ a, b any }{1, "x"}, [1]float64{2}} {
					var want *multiset.Entry[int]
					if len(model[key]) > 0 {
						want = model[key][0]
					}
					if got := set.First(key); got != want {
						t.Fatalf("the first entry of %v is %v, want %v", key, got, want)
					}
				}
			},
		})
	})
}

// TestKeysThatASetCannotHold checks that First accepts any value.
func TestKeysThatASetCannotHold(t *testing.T) {
	var set multiset.Set[int]
	set.Add(new(multiset.Entry[int]), 1, 1)
	for _, key := range []any{[]int{1}, func() {}, map[int]int{}, math.NaN(), [1]any{[]int{1}}, struct{ x any }{math.NaN()}} {
		if multiset.CanHold(key) || set.First(key) != nil {
			t.Errorf("a set can hold %v", key)
		}
	}
	for _, key := range []any{nil, 1, "x", 1.5, new(int), [1]any{1}, struct{ x any }{2}} {
		if !multiset.CanHold(key) {
			t.Errorf("a set cannot hold %v", key)
		}
	}
}

// TestAnEmptySetKeepsNoLargeMap checks that a set that was large is as good as new when empty.
func TestAnEmptySetKeepsNoLargeMap(t *testing.T) {
	var set multiset.Set[int]
	entries := make([]multiset.Entry[int], 1000)
	for i := range entries {
		set.Add(&entries[i], i, i)
	}
	for i := range entries {
		set.Remove(&entries[i])
	}
	check.Equal(t, "empty", set.Empty(), true)
	entries[0] = multiset.Entry[int]{}
	set.Add(&entries[0], "again", 1)
	if set.First("again") != &entries[0] {
		t.Error("the set lost an entry")
	}
	if allocs := testing.AllocsPerRun(100, func() {
		var e multiset.Entry[int]
		set.Add(&e, &entries, 1)
		set.First(&entries)
		set.Remove(&e)
	}); allocs > 1 {
		t.Errorf("an entry of a pointer costs %v allocations", allocs)
	}
}
