package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/trust"
)

// Whoever came with so many wrong tokens in this time waits: an address, or all who name one id.
const (
	failuresAllowed = 10
	failureTime     = 10 * time.Minute
	failersKept     = 16_384 // addresses, and as many ids
)

// claim is a token as somebody came with it. The secret itself is not passed on.
type claim struct {
	ID   string            `json:"id"`
	Hash [sha256.Size]byte `json:"hash"`
	From string            `json:"from"` // the address
}

// readClaim takes a token apart. What is none becomes the claim of a token that nobody has.
func readClaim(token, from string) claim {
	c := claim{From: from}
	rest, prefixed := strings.CutPrefix(token, apiTokenPrefix)
	id, text, _ := strings.Cut(rest, "_")
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !prefixed || !trust.ValidID(id) || err != nil || len(secret) != apiSecretBytes {
		secret = make([]byte, apiSecretBytes) // hashed as well, so that it takes the same time
	} else {
		c.ID = id
	}
	c.Hash = sha256.Sum256(secret)
	return c
}

// Verify says whose a token is. Its error is a *Refusal: unknown and wrong tokens are told apart neither by text nor by
// time.
func (t *APITokens) Verify(ctx context.Context, token, from string) (Person, error) {
	return t.verify(ctx, readClaim(token, from))
}

func (t *APITokens) verify(ctx context.Context, c claim) (Person, error) {
	now := t.now()
	kept, right, wait, blocked, err := t.compare(c, now)
	for _, object := range blocked {
		t.noteBlocked(ctx, c.From, object)
	}
	unauthorized := func(code, detail string) (Person, error) {
		return Person{}, &Refusal{Code: code, Status: http.StatusUnauthorized, Detail: detail}
	}
	switch {
	case err != nil:
		t.log.Error("API token not checked", "err", err)
		return Person{}, Unavailable()
	case wait > 0:
		return Person{}, &Refusal{Code: "too_many_failures", Status: http.StatusTooManyRequests, Retry: true, After: wait,
			Detail: fmt.Sprintf("%d wrong tokens in %v came from this address, or with this token's id: wait",
				failuresAllowed, failureTime)}
	case !right:
		return unauthorized("token_invalid", "the token is not one of this site's")
	case !kept.Revoked.IsZero():
		return unauthorized("token_revoked", "the token was revoked at "+kept.Revoked.Format(time.RFC3339))
	case !now.Before(kept.Expires):
		return unauthorized("token_expired", "the token expired at "+kept.Expires.Format(time.RFC3339))
	}
	return kept.person(), nil
}

// Standing is nil as long as a token may still do what it could, whoever has it. Its error is a *Refusal.
func (t *APITokens) Standing(_ context.Context, id string) error {
	var kept keptToken
	known := false
	err := t.db.View(func(tx *bbolt.Tx) (err error) {
		kept, known, err = getAPIToken(tx, id)
		return err
	})
	gone := func(code, detail string) error {
		return &Refusal{Code: code, Status: http.StatusUnauthorized, Detail: detail}
	}
	switch now := t.now(); {
	case err != nil:
		t.log.Error("API token not looked up", "err", err)
		return Unavailable()
	case !known:
		return gone("token_invalid", "the token is not one of this site's")
	case !kept.Revoked.IsZero():
		return gone("token_revoked", "the token was revoked at "+kept.Revoked.Format(time.RFC3339))
	case !now.Before(kept.Expires):
		return gone("token_expired", "the token expired at "+kept.Expires.Format(time.RFC3339))
	}
	return nil
}

// compare looks a token up and counts a failure. blocked is who has to wait from this failure on. Only one claim is
// looked at at a time, so that parallel guesses are not more than those allowed.
func (t *APITokens) compare(c claim, now time.Time) (kept keptToken, right bool, wait time.Duration, blocked []string,
	err error) {
	t.checking.Lock()
	defer t.checking.Unlock()
	keys := []string{"address:" + addressKey(c.From), "token:" + c.ID}
	if c.ID == "" {
		keys = keys[:1]
	}
	for _, key := range keys {
		wait = max(wait, t.failures.wait(key, now))
	}
	if wait > 0 {
		return kept, false, wait, nil, nil
	}
	err = t.db.View(func(tx *bbolt.Tx) error {
		var err error
		kept, _, err = getAPIToken(tx, c.ID)
		return err
	})
	if err != nil {
		return kept, false, 0, nil, err
	}
	hash := [sha256.Size]byte{}
	known := subtle.ConstantTimeEq(int32(copy(hash[:], kept.Hash)), sha256.Size)
	right = known&subtle.ConstantTimeCompare(hash[:], c.Hash[:]) == 1
	if !right {
		for _, key := range keys {
			if t.failures.count(key, now) {
				blocked = append(blocked, key)
			}
		}
	}
	return kept, right, 0, blocked, nil
}

// noteBlocked notes that somebody has to wait. What cannot be noted is still refused.
func (t *APITokens) noteBlocked(ctx context.Context, from, object string) {
	t.log.Warn("too many wrong API tokens", "from", from, "blocked", object, "for", failureTime)
	finish, err := t.audit.Begin(context.WithoutCancel(ctx), audit.Action{Actor: "site", From: from,
		Action: "token.blocked", Object: object, Targets: 1,
		Reason: fmt.Sprintf("%d wrong tokens in %v", failuresAllowed, failureTime)})
	if err != nil {
		t.log.Error("wrong API tokens not noted in the audit log", "err", err)
		return
	}
	finish("done", "")
}

// addressKey is what counts as one address: of IPv6 the half that a network has, because its other half is free to
// choose.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		prefix, _ := ip.Prefix(64) // 64 bits fit
		return prefix.String()
	}
	return ip.String()
}

// failures counts wrong tokens. When there are too many who failed, whoever failed least lately is forgotten.
type failures struct{ of *lru.LRU[string, []time.Time] }

func newFailures() failures {
	of, err := lru.NewLRU[string, []time.Time](2*failersKept, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return failures{of}
}

// wait is how long whoever has the key has to wait until a token is looked at.
func (f failures) wait(key string, now time.Time) time.Duration {
	times, _ := f.of.Peek(key)
	if len(times) < failuresAllowed {
		return 0
	}
	return max(0, times[0].Add(failureTime).Sub(now))
}

// count counts a failure, and says whether it is the one from which on the key has to wait.
func (f failures) count(key string, now time.Time) bool {
	times, _ := f.of.Get(key)
	for len(times) > 0 && (now.Sub(times[0]) >= failureTime || len(times) == failuresAllowed) {
		times = times[1:]
	}
	times = append(append(make([]time.Time, 0, len(times)+1), times...), now)
	f.of.Add(key, times)
	return len(times) == failuresAllowed
}
