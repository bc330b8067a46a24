package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/trust"
)

// apiTokenPrefix begins every API token, so that tools that look for secrets find one that leaked.
const apiTokenPrefix = "swt_"

const (
	apiSecretBytes = 32
	// MaxAPITokenLife bounds the life of a token: one that nobody renews should not open the site for ever.
	MaxAPITokenLife = 366 * 24 * time.Hour
	apiTokenKept    = 90 * 24 * time.Hour // after its end, so that lists can still say whose it was
	maxScope        = 100                 // collections of one token
	maxTokenName    = 64
)

var bucketAPITokens = []byte("api_tokens") // by id

// scopeName is what a collection may be called.
var scopeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// APIToken is what the site keeps of a token: not the token.
type APIToken struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Role        Role      `json:"role"`
	Collections []string  `json:"collections"` // empty: all clients
	Created     time.Time `json:"created"`
	Creator     string    `json:"creator"`
	Expires     time.Time `json:"expires"`
	Revoked     time.Time `json:"revoked,omitzero"`
	RevokedBy   string    `json:"revoked_by,omitempty"`
}

// State is whether the token is good: valid, expired or revoked.
func (t APIToken) State(now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !now.Before(t.Expires):
		return "expired"
	}
	return "valid"
}

// keptToken is a row of the bucket.
type keptToken struct {
	APIToken
	Hash []byte `json:"hash"` // SHA-256 of the secret
}

// person is who comes with the token.
func (t APIToken) person() Person {
	return Person{Actor: "token:" + t.ID, Role: t.Role, Collections: t.Collections, Expires: t.Expires}
}

// Wanted is a token to be made.
type Wanted struct {
	Role        Role          `json:"role"`
	Collections []string      `json:"collections,omitempty"` // empty: all clients
	Life        time.Duration `json:"life_ns"`
	Name        string        `json:"name,omitempty"` // for people who read the list
}

// MadeAPIToken is a new token: the only moment at which anybody sees it.
type MadeAPIToken struct {
	APIToken
	Token string `json:"token"`
}

// auditor notes an action before it is done.
type auditor interface {
	Begin(ctx context.Context, a audit.Action) (finish func(outcome, detail string), err error)
}

// APITokens keeps the tokens with which people and scripts call the API. A token is kept as a hash only.
type APITokens struct {
	// Constant after NewAPITokens.
	db    *bbolt.DB
	audit auditor
	now   func() time.Time
	log   *slog.Logger

	checking sync.Mutex // held from the look at failures until the next one is counted
	failures failures   // Guarded by checking.
}

// NewAPITokens keeps tokens in a bucket of db, which it makes. Clock and log may be nil.
func NewAPITokens(db *bbolt.DB, log auditor, clock func() time.Time, logger *slog.Logger) (*APITokens, error) {
	t := &APITokens{db: db, audit: log, now: clock, log: cmp.Or(logger, slog.New(slog.DiscardHandler)),
		failures: newFailures()}
	if t.now == nil {
		t.now = time.Now
	}
	err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketAPITokens)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the API tokens: %w", err)
	}
	return t, nil
}

// Create makes a token with no more rights, clients and life than who asks for it has.
func (t *APITokens) Create(ctx context.Context, by Person, want Wanted) (MadeAPIToken, error) {
	want.Collections = slices.Compact(slices.Sorted(slices.Values(want.Collections)))
	if err := want.check(); err != nil {
		return MadeAPIToken{}, err
	}
	now := t.now().UTC()
	made := MadeAPIToken{APIToken: APIToken{ID: trust.NewID(), Name: want.Name, Role: want.Role,
		Collections: want.Collections, Created: now, Creator: by.Actor, Expires: now.Add(want.Life).Truncate(time.Second)}}
	if err := by.mayMake(made.APIToken); err != nil {
		return MadeAPIToken{}, err
	}
	var secret [apiSecretBytes]byte
	_, _ = rand.Read(secret[:]) // it never fails
	hash := sha256.Sum256(secret[:])
	made.Token = apiTokenPrefix + made.ID + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
	params, err := json.Marshal(want)
	if err != nil {
		return MadeAPIToken{}, err
	}
	err = t.noted(ctx, by, MayTokenCreate, "token:"+made.ID, params, func() error {
		return t.db.Update(func(tx *bbolt.Tx) error {
			if err := tidyAPITokens(tx, now); err != nil {
				return err
			}
			return putAPIToken(tx, keptToken{made.APIToken, hash[:]})
		})
	})
	if err != nil {
		return MadeAPIToken{}, fmt.Errorf("make the token: %w", err)
	}
	return made, nil
}

// check says what is wrong with a wish.
func (w Wanted) check() error {
	switch {
	case !slices.Contains(Roles(), w.Role):
		return control.Invalid("role %.20q is none; allowed are viewer, operator and admin", w.Role)
	case w.Life < time.Minute || w.Life > MaxAPITokenLife:
		return control.Invalid("a token's life has to be from 1m to %dd", MaxAPITokenLife/(24*time.Hour))
	case len(w.Collections) > maxScope:
		return control.Invalid("a token has at most %d collections, got %d", maxScope, len(w.Collections))
	case utf8.RuneCountInString(w.Name) > maxTokenName || !printable(w.Name):
		return control.Invalid("a token's name has at most %d printable characters", maxTokenName)
	}
	for _, name := range w.Collections {
		if !scopeName.MatchString(name) {
			return control.Invalid("%.80q can be no collection's name; use letters, digits, dots, dashes and underscores", name)
		}
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// mayMake refuses a token that could do more than who makes it.
func (p Person) mayMake(t APIToken) error {
	if err := p.Permit(MayTokenCreate); err != nil {
		return err
	}
	if !p.Expires.IsZero() && t.Expires.After(p.Expires) {
		return &Refusal{Code: "forbidden", Status: http.StatusForbidden,
			Detail: "a token can't make one that lives longer than itself: it ends at " + p.Expires.Format(time.RFC3339)}
	}
	return p.covers(t)
}

// covers refuses a token with more rights or clients than the person has.
func (p Person) covers(t APIToken) error {
	switch {
	case !p.Role.Has(t.Role):
		return &Refusal{Code: "forbidden", Status: http.StatusForbidden,
			Detail: fmt.Sprintf("the token's role is %s, its caller's only %s", t.Role, p.Role)}
	case p.Scoped() && len(t.Collections) == 0:
		return OutOfScope(1, "token for all clients", "")
	}
	return p.Within(t.Collections...)
}

// List are the tokens that the person could have made, the newest first.
func (t *APITokens) List(ctx context.Context, by Person) ([]APIToken, error) {
	list := []APIToken{}
	err := t.noted(ctx, by, MayTokenList, "tokens", nil, func() error {
		return t.db.View(func(tx *bbolt.Tx) error {
			return eachAPIToken(tx, func(k keptToken) error {
				if by.covers(k.APIToken) == nil {
					list = append(list, k.APIToken)
				}
				return nil
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list the tokens: %w", err)
	}
	slices.SortFunc(list, func(a, b APIToken) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Revoke ends a token at once. One that is revoked already stays as it is.
func (t *APITokens) Revoke(ctx context.Context, by Person, id string) (APIToken, error) {
	id = strings.ToUpper(id)
	var out APIToken
	err := t.noted(ctx, by, MayTokenRevoke, "token:"+id, nil, func() error {
		return t.db.Update(func(tx *bbolt.Tx) error {
			k, ok, err := getAPIToken(tx, id)
			if err == nil && !ok {
				err = control.NotFound("no such token: %.40q; `statewire token list` shows them", id)
			}
			if err == nil {
				err = by.covers(k.APIToken)
			}
			if err != nil {
				return err
			}
			if k.Revoked.IsZero() {
				k.Revoked, k.RevokedBy = t.now().UTC(), by.Actor
			}
			out = k.APIToken
			return putAPIToken(tx, k)
		})
	})
	if err != nil {
		return APIToken{}, fmt.Errorf("revoke the token: %w", err)
	}
	return out, nil
}

// noted does something that is noted before, when the person may.
func (t *APITokens) noted(ctx context.Context, by Person, perm Permission, object string, params []byte,
	do func() error) error {
	if err := by.Permit(perm); err != nil {
		return err
	}
	finish, err := t.audit.Begin(ctx, audit.Action{Actor: by.Actor, Role: string(by.Role), Action: string(perm),
		Object: object, Targets: 1, Params: params})
	if err != nil {
		t.log.Error("nothing is done that cannot be noted in the audit log", "action", perm, "err", err)
		return &Refusal{Code: "audit_unavailable", Status: http.StatusServiceUnavailable, Retry: true, After: time.Minute,
			Detail: "the audit log does not take the action, so it was not done: the site's log says why"}
	}
	if err := do(); err != nil {
		finish("failed", err.Error())
		return err
	}
	finish("done", "")
	return nil
}
