package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
)

// Client is a client, or a role, that has or had certificates.
type Client struct {
	ID       string    `json:"client_id"` // GUID:…, or role:KIND:NAME
	Name     string    `json:"name"`
	Version  string    `json:"client_version,omitempty"`
	State    string    `json:"state"` // enrolled, expired, revoked or shared
	Enrolled time.Time `json:"enrolled"`
	Number   uint64    `json:"certificate"` // number of the newest certificate
	NotAfter time.Time `json:"not_after"`
	Used     uint64    `json:"certificate_seen"` // the greatest number that it has shown; 0: none yet
	Below    uint64    `json:"denied_below,omitempty"`
	Shared   time.Time `json:"shared,omitzero"`
	Revoked  time.Time `json:"revoked,omitzero"`
	By       string    `json:"revoked_by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

func (h *holder) listed(key string, now time.Time) Client {
	c := Client{ID: key, Name: h.Name, Version: h.Version, State: "enrolled", Enrolled: h.Enrolled, Number: h.Newest,
		NotAfter: h.NotAfter, Used: h.Used, Below: h.Below, Shared: h.Shared}
	switch {
	case h.Revoked != nil:
		c.State, c.Revoked, c.By, c.Reason = "revoked", h.Revoked.At, h.Revoked.By, h.Revoked.Reason
	case !h.Shared.IsZero():
		c.State = "shared"
	case now.After(h.NotAfter):
		c.State = "expired"
	}
	return c
}

// Clients lists who has or had certificates, in the order of their ids; roles come last.
func (s *Service) Clients(context.Context) (list []Client, err error) {
	now := s.now()
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketHolders, func(key []byte, h holder) error {
			list = append(list, h.listed(string(key), now))
			return nil
		})
	})
	return list, err
}

// Client is one of them, by its key.
func (s *Service) Client(_ context.Context, key string) (c Client, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		h, err := holderOf(tx, key)
		if err == nil {
			c = h.listed(key, s.now())
		}
		return err
	})
	return c, err
}

func holderOf(tx *bbolt.Tx, key string) (holder, error) {
	h, ok, err := get[holder](tx, bucketHolders, []byte(key))
	if err == nil && !ok {
		err = control.NotFound("%.80q has no certificate; `statewire client list` shows who has", key)
	}
	return h, err
}

// Revoke refuses all certificates that a client or a role has, those that it renewed too. When it returns, the list
// that relays read is on disk; they take it within seconds.
func (s *Service) Revoke(ctx context.Context, key, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return control.Invalid("--reason is empty; say why, for whoever asks later")
	}
	if len(reason) > 1024 {
		return control.Invalid("--reason has %d bytes; allowed are 1024", len(reason))
	}
	if err := s.db.View(func(tx *bbolt.Tx) error { _, err := holderOf(tx, key); return err }); err != nil {
		return err
	}
	finish, err := s.note(ctx, audit.Action{Action: "client.revoke", Object: key, Reason: reason})
	if err != nil {
		return err
	}
	err = s.deny(ctx, key, reason)
	finish(audit.Outcome(err))
	return err
}

// Deny refuses a client's certificates because the client was deleted, and forgets its name. Whoever deletes it notes
// that in the audit log. A client without certificates is none of its business.
func (s *Service) Deny(ctx context.Context, client uuid.UUID) error {
	key := clientKey(client)
	err := s.db.View(func(tx *bbolt.Tx) error { _, err := holderOf(tx, key); return err })
	if errors.Is(err, control.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.deny(ctx, key, "deleted"); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		h, err := holderOf(tx, key)
		if err != nil {
			return err
		}
		h.Name, h.Version = "", ""
		return errors.Join(put(tx, bucketHolders, []byte(key), h), joins(tx, []byte(key), ""))
	})
}

// deny makes the revocation durable, in the state and in the list.
func (s *Service) deny(ctx context.Context, key, reason string) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		h, err := holderOf(tx, key)
		if err != nil {
			return err
		}
		number, err := nextNumber(tx, s.now())
		if err != nil {
			return err
		}
		h.Below, h.Until = number, h.NotAfter.Add(s.cfg.RenewGrace)
		h.Revoked = &revocation{At: s.now().UTC(), By: control.Actor(ctx), Reason: reason}
		return put(tx, bucketHolders, []byte(key), h)
	})
	if err != nil {
		return err
	}
	return s.writeDenied()
}

// Summary is how many there are of each state, for `status` and metrics.
type Summary struct {
	States  map[string]int `json:"states"` // of clients
	Pending int            `json:"pending"`
	Paused  bool           `json:"paused"`
	Tokens  int            `json:"tokens"` // usable ones
	// ServerEnds is when the certificate of the listeners ends; it is renewed before.
	ServerEnds time.Time `json:"server_ends"`
}

// Summary counts.
func (s *Service) Summary(context.Context) (sum Summary, err error) {
	now := s.now()
	sum.States = map[string]int{}
	if pair := s.site.server.Load(); pair != nil {
		sum.ServerEnds = pair.Leaf.NotAfter
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		err := each(tx, bucketHolders, func(key []byte, h holder) error {
			if h.Role == "" {
				sum.States[h.listed(string(key), now).State]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err = each(tx, bucketTokens, func(_ []byte, t storedToken) error {
			if t.state(now) == "usable" {
				sum.Tokens++
			}
			return nil
		}); err != nil {
			return err
		}
		if err = each(tx, bucketPending, func(_ []byte, p Pending) error {
			if p.Decision == waiting {
				sum.Pending++
			}
			return nil
		}); err != nil {
			return err
		}
		sum.Paused, _, err = get[bool](tx, bucketMeta, metaPaused)
		return err
	})
	return sum, err
}

// KeyOf is how a person's word for a client or a role is written as a key.
func KeyOf(text string) (string, error) {
	if kind, name, ok := strings.Cut(strings.TrimPrefix(text, "role:"), ":"); ok && strings.HasPrefix(text, "role:") &&
		slices.Contains(RoleKinds, kind) && validRoleName(name) {
		return text, nil
	}
	trimmed := text
	if len(text) > 5 && strings.EqualFold(text[:5], "guid:") {
		trimmed = text[5:]
	}
	id, err := uuid.Parse(trimmed)
	if err != nil || id == uuid.Nil {
		return "", control.Invalid("%.80q is no client id (GUID:… or a UUID) and no role (role:KIND:NAME)", text)
	}
	return clientKey(id), nil
}
