package relay

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"statewire/smx"
)

// rates holds one token bucket per client, at most clients_tracked of them.
type rates struct {
	// Constant after newRates.
	limit rate.Limit
	burst int

	// Guarded by mu.
	mu      sync.Mutex
	buckets *simplelru.LRU[smx.ClientID, *rate.Limiter]
}

func newRates(cfg Config) *rates {
	buckets, err := simplelru.NewLRU[smx.ClientID, *rate.Limiter](max(1, cfg.ClientsTracked), nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &rates{limit: rate.Limit(cfg.ClientRate), burst: cfg.ClientBurst, buckets: buckets}
}

// take takes a token of the client's, or refuses and says when there will be one.
func (r *rates) take(client smx.ClientID, now time.Time) *problem {
	if r.limit == 0 {
		return nil
	}
	bucket := r.bucket(client)
	if bucket.AllowN(now, 1) {
		return nil
	}
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	reservation.CancelAt(now)
	return refuse(codeRate, "this client sends more than %v requests per second (%d at once)", float64(r.limit),
		r.burst).later(max(wait, time.Second))
}

func (r *rates) bucket(client smx.ClientID) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	bucket, ok := r.buckets.Get(client)
	if !ok {
		bucket = rate.NewLimiter(r.limit, r.burst)
		r.buckets.Add(client, bucket)
	}
	return bucket
}
