package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/trust"
)

const (
	// sharedLife is the longest life of a token that several clients may use without anybody's approval.
	sharedLife = 24 * time.Hour
	tokenLife  = 365 * 24 * time.Hour
	maxUses    = 10_000_000
	// tokensKept is how long a token stays listed after its end.
	tokensKept = 90 * 24 * time.Hour
)

// TokenSpec is an enrolment token to be made.
type TokenSpec struct {
	Uses       int           `json:"uses"`    // how many clients may enrol with it; at least 1
	Expires    time.Duration `json:"expires"` // its life
	Client     uuid.UUID     `json:"client,omitzero"`
	Adopt      bool          `json:"adopt,omitempty"`      // clients that reported before, under their own ids
	Collection string        `json:"collection,omitempty"` // into which its clients come
	Approval   bool          `json:"approval,omitempty"`   // somebody approves each client
	Role       string        `json:"role,omitempty"`       // it is for a role, and not for clients
}

// Token is an enrolment token as it is listed: without its secret.
type Token struct {
	ID         string    `json:"id"`
	Uses       int       `json:"uses"`
	Used       int       `json:"used"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	Creator    string    `json:"creator"`
	Client     string    `json:"client,omitempty"` // GUID:…
	Adopt      bool      `json:"adopt,omitempty"`
	Collection string    `json:"collection,omitempty"`
	Approval   bool      `json:"approval,omitempty"`
	Role       string    `json:"role,omitempty"`
	State      string    `json:"state"` // usable, used, expired, revoked or void
}

// For says for whom the token is, in a few words.
func (t Token) For() string {
	words := []string{"any new client"}
	switch {
	case t.Role != "":
		words[0] = "a " + t.Role
	case t.Client != "":
		words[0] = t.Client
	case t.Adopt:
		words[0] = "any client"
	}
	if t.Collection != "" {
		words = append(words, "into "+t.Collection)
	}
	if t.Approval {
		words = append(words, "with approval")
	}
	return strings.Join(words, ", ")
}

// MadeToken is a token with its secret, which is shown once.
type MadeToken struct {
	Token

	Text string `json:"token"`
}

// storedToken is a token in the state file.
type storedToken struct {
	ID         string
	Hash       [sha256.Size]byte // of the secret
	Uses, Used int
	Created    time.Time
	Expires    time.Time
	Creator    string
	Client     uuid.UUID
	Adopt      bool
	Collection string
	Approval   bool
	Role       string
	Revoked    bool
	Void       bool // the authority or the roots changed
}

func (t *storedToken) state(now time.Time) string {
	switch {
	case t.Revoked:
		return "revoked"
	case t.Used >= t.Uses:
		return "used"
	case t.Void:
		return "void"
	case !now.Before(t.Expires):
		return "expired"
	}
	return "usable"
}

func (t *storedToken) listed(now time.Time) Token {
	out := Token{ID: t.ID, Uses: t.Uses, Used: t.Used, Created: t.Created, Expires: t.Expires, Creator: t.Creator,
		Adopt: t.Adopt, Collection: t.Collection, Approval: t.Approval, Role: t.Role, State: t.state(now)}
	if t.Client != uuid.Nil {
		out.Client = clientKey(t.Client)
	}
	return out
}

// matches compares a secret in a time that says nothing about it.
func (t *storedToken) matches(secret []byte) bool {
	hash := sha256.Sum256(secret)
	return subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
}

// check says what is wrong with a token that somebody asks for.
func (t TokenSpec) check() error {
	switch {
	case t.Uses < 1 || t.Uses > maxUses:
		return control.Invalid("--uses is %d; allowed are 1 to %d", t.Uses, maxUses)
	case t.Expires <= 0 || t.Expires > tokenLife:
		return control.Invalid("--expires is %v; allowed are up to %v", t.Expires, tokenLife)
	case t.Expires > sharedLife && t.Uses > 1 && !t.Approval:
		return control.Invalid("a token of %d uses that lives for %v needs --approval; without it allowed are --uses 1, or "+
			"--expires up to %v", t.Uses, t.Expires, sharedLife)
	case t.Role != "" && !slices.Contains(RoleKinds, t.Role):
		return control.Invalid("--role is %.40q; allowed are %s", t.Role, strings.Join(RoleKinds, ", "))
	case t.Role != "" && (t.Client != uuid.Nil || t.Adopt || t.Collection != ""):
		return control.Invalid("--role is for a token of the site's own processes; --client, --adopt and --collection are " +
			"for clients")
	case t.Client != uuid.Nil && t.Uses > 1:
		return control.Invalid("a token for one client has --uses 1")
	}
	return nil
}

// CreateToken makes an enrolment token.
func (s *Service) CreateToken(ctx context.Context, spec TokenSpec) (MadeToken, error) {
	if err := s.canJoin(ctx, spec.Collection); err != nil {
		return MadeToken{}, err
	}
	return s.createToken(ctx, spec, control.Actor(ctx))
}

func (s *Service) createToken(ctx context.Context, spec TokenSpec, creator string) (MadeToken, error) {
	if err := spec.check(); err != nil {
		return MadeToken{}, err
	}
	params, err := json.Marshal(spec)
	if err != nil {
		return MadeToken{}, err
	}
	made, now := trust.NewToken(s.pin()), s.now().UTC()
	finish, err := s.note(ctx, audit.Action{Actor: creator, Action: "enroll.token.create",
		Object: "token:" + made.ID, Params: params})
	if err != nil {
		return MadeToken{}, err
	}
	stored := storedToken{ID: made.ID, Hash: sha256.Sum256(made.Secret[:]), Uses: spec.Uses, Created: now,
		Expires: now.Add(spec.Expires), Creator: creator, Client: spec.Client, Adopt: spec.Adopt,
		Collection: spec.Collection, Approval: spec.Approval, Role: spec.Role}
	err = s.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketTokens, []byte(made.ID), stored) })
	finish(audit.Outcome(err))
	return MadeToken{stored.listed(now), made.String()}, err
}

// siteActor is who acts when nobody asked.
const siteActor = "site"

// FirstToken makes a token for a first client, once in a site's life: where no token was ever made, and nobody has
// enrolled. Else it is empty.
func (s *Service) FirstToken(ctx context.Context, life time.Duration) (string, error) {
	var had bool
	err := s.db.View(func(tx *bbolt.Tx) error {
		var err error
		had, _, err = get[bool](tx, bucketMeta, metaFirst)
		token, _ := tx.Bucket(bucketTokens).Cursor().First()
		had = had || token != nil || enrolled(tx)
		return err
	})
	if err != nil || had {
		return "", err
	}
	made, err := s.createToken(ctx, TokenSpec{Uses: 1, Expires: life}, siteActor)
	if err != nil {
		return "", err
	}
	return made.Text, s.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketMeta, metaFirst, true) })
}

// enrolled says whether anybody has enrolled. A role of this machine has its certificate without.
func enrolled(tx *bbolt.Tx) bool {
	holders := tx.Bucket(bucketHolders).Cursor()
	for name, _ := holders.First(); name != nil; name, _ = holders.Next() {
		if !isLocalRole(string(name)) {
			return true
		}
	}
	return false
}

// Tokens lists the enrolment tokens, the newest first.
func (s *Service) Tokens(context.Context) (list []Token, err error) {
	now := s.now()
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketTokens, func(_ []byte, t storedToken) error {
			list = append(list, t.listed(now))
			return nil
		})
	})
	slices.SortFunc(list, func(a, b Token) int { return b.Created.Compare(a.Created) })
	return list, err
}

// RevokeToken ends a token: nobody enrols with it any more. Who has enrolled stays so.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	if err := s.db.View(func(tx *bbolt.Tx) error { _, err := tokenOf(tx, id); return err }); err != nil {
		return err
	}
	finish, err := s.note(ctx, audit.Action{Action: "enroll.token.revoke", Object: "token:" + id})
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		t, err := tokenOf(tx, id)
		if err != nil {
			return err
		}
		t.Revoked = true
		return put(tx, bucketTokens, []byte(id), t)
	})
	finish(audit.Outcome(err))
	return err
}

func tokenOf(tx *bbolt.Tx, id string) (storedToken, error) {
	t, ok, err := get[storedToken](tx, bucketTokens, []byte(id))
	if err == nil && !ok {
		err = control.NotFound("there is no enrolment token %.40q; `statewire enroll token list` shows them", id)
	}
	return t, err
}

// voidTokens makes every usable token void and says which.
func voidTokens(tx *bbolt.Tx, now time.Time) (ids []string, err error) {
	changed := map[string]storedToken{}
	err = each(tx, bucketTokens, func(key []byte, t storedToken) error {
		if t.state(now) == "usable" {
			t.Void = true
			changed[string(key)] = t
			ids = append(ids, t.ID)
		}
		return nil
	})
	for key, t := range changed {
		if err == nil {
			err = put(tx, bucketTokens, []byte(key), t)
		}
	}
	return ids, err
}

// tidyTokens forgets tokens that ended long ago.
func tidyTokens(tx *bbolt.Tx, now time.Time) error {
	var gone [][]byte
	err := each(tx, bucketTokens, func(key []byte, t storedToken) error {
		if now.After(t.Expires.Add(tokensKept)) {
			gone = append(gone, slices.Clone(key))
		}
		return nil
	})
	for _, key := range gone {
		if err == nil {
			err = tx.Bucket(bucketTokens).Delete(key)
		}
	}
	return err
}
