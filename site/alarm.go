package site

import (
	"context"
	"strings"
	"sync"
	"time"

	"statewire/console"
	"statewire/store"
)

// conditionAge is how long pages and /readyz go on with one answer of the store.
const conditionAge = 10 * time.Second

// storeState tells pages and /readyz what is wrong with the store.
type storeState struct {
	db *store.Store

	mu    sync.Mutex
	asked time.Time       // Guarded by mu, as the rest.
	last  store.Condition // of the last answer
}

// condition is at most conditionAge old, or the last that could be had: a store that does not answer is not asked by
// every page.
func (s *storeState) condition(ctx context.Context) store.Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < conditionAge {
		return s.last
	}
	c, err := s.db.Condition(ctx)
	if err == nil {
		s.last = c
	}
	if err == nil || ctx.Err() == nil { // whoever asked may have left
		s.asked = time.Now()
	}
	return s.last
}

// alarm stands on top of every page; rows that are lost keep /readyz from being ready.
func (s *storeState) alarm(ctx context.Context) console.Alarm {
	c := s.condition(ctx)
	if text := c.Lost(); text != "" {
		return console.Alarm{Text: "The store is damaged: " + text, Critical: true}
	}
	if text := c.Warning(); text != "" {
		return console.Alarm{Text: "The site was restored: " + text}
	}
	return console.Alarm{}
}

// alarm is what stands on top of every page.
func (s *Site) alarm(store *storeState) func(context.Context) console.Alarm {
	return func(ctx context.Context) console.Alarm { return together(store.alarm(ctx), s.noLoader()) }
}

// together says first what is wrong with the store, then that nobody loads: neither hides the other.
func together(store console.Alarm, nobody string) console.Alarm {
	switch {
	case nobody == "":
		return store
	case store.Text != "":
		return console.Alarm{Text: store.Text + " Also, " + nobody + ".", Critical: true}
	}
	return console.Alarm{Text: strings.ToUpper(nobody[:1]) + nobody[1:] + ".", Critical: true}
}
