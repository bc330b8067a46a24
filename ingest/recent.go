package ingest

// recent remembers what was used lately: at most so many entries, at least the half of them used last.
type recent[K comparable, V any] struct {
	half     int
	now, old map[K]V
}

func newRecent[K comparable, V any](most int) recent[K, V] {
	return recent[K, V]{half: most / 2, now: map[K]V{}}
}

// get is what is remembered of a key; using it keeps it.
func (r *recent[K, V]) get(key K) (V, bool) {
	v, found := r.now[key]
	if found {
		return v, true
	}
	if v, found = r.old[key]; found {
		r.put(key, v)
	}
	return v, found
}

func (r *recent[K, V]) put(key K, v V) {
	if _, found := r.now[key]; !found && len(r.now) >= r.half {
		r.old, r.now = r.now, make(map[K]V, r.half)
	}
	r.now[key] = v
}
