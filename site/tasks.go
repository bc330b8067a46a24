package site

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/collections"
	"statewire/configs"
	"statewire/identity"
	"statewire/notifier/manager"
	"statewire/smx"
	"statewire/trust"
)

// errNoStore is what a task for a collection meets while the store is not open.
var errNoStore = errors.New("the store is not open")

// liveManager is what the notification manager takes while it runs.
func liveManager(cfg configs.Config) manager.Live {
	return manager.Live{Tasks: cfg.Tasks, Validity: cfg.Notifier.TaskValidity, Throttle: cfg.Notifier.ThrottlePerSecond}
}

// managerDeps are what the notification manager works with. A site without an authority has no tasks.
func (s *Site) managerDeps(reg prometheus.Registerer) manager.Deps {
	deps := manager.Deps{Log: s.log.With("stage", "manager"), Registerer: reg, Audit: s.auditLog(), Members: s.members,
		Still: s.still}
	keys := &taskKeys{dir: TrustDir(s.cfg.Data), log: s.log}
	deps.TaskKey, deps.Site = keys.key, keys.site
	return deps
}

// taskKeys reads the task key of a data directory. The process with the identity role makes it, perhaps later.
type taskKeys struct {
	// Constant after it was made.
	dir string
	log *slog.Logger

	mu   sync.Mutex
	keys *trust.Keys // Guarded by mu; nil until the folder is there.
}

func (t *taskKeys) key() (string, ed25519.PrivateKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		if _, err := os.Stat(t.dir); err != nil {
			return "", nil, err // opening it would make it
		}
		keys, err := trust.OpenKeys(t.dir, trust.Options{Log: t.log})
		if err != nil {
			return "", nil, err
		}
		t.keys = keys
	}
	return t.keys.TaskKey()
}

// site is the id of the site, which the trust document names with each task key.
func (t *taskKeys) site() (uuid.UUID, error) {
	envelope, err := trust.ReadEnvelope(t.dir)
	if err != nil {
		return uuid.Nil, err
	}
	document, err := trust.Read(envelope)
	if err != nil {
		return uuid.Nil, err
	}
	for _, key := range document.TaskKeys {
		if id, err := uuid.Parse(key.Site); err == nil {
			return id, nil
		}
	}
	return uuid.Nil, errors.New("the trust document names no site")
}

// members are the clients of a collection, or all of the site, without those that are retired.
func (s *Site) members(ctx context.Context, collection string, all bool) ([]uuid.UUID, error) {
	db := s.store.Load()
	if db == nil {
		return nil, errNoStore
	}
	sets := collections.New(db, s.log, time.Now)
	found, err := func() ([]smx.ClientID, error) {
		if all {
			return sets.Everyone(ctx)
		}
		c, err := sets.Get(ctx, collection)
		if err != nil {
			return nil, err
		}
		return sets.Members(ctx, c)
	}()
	if err != nil {
		return nil, err
	}
	out := make([]uuid.UUID, len(found))
	for i, id := range found {
		out[i] = uuid.UUID(id)
	}
	return out, nil
}

// still is nil as long as an actor may push: the owner of the site's files always, a token until it ends.
func (s *Site) still(ctx context.Context, actor string) error {
	if id, ok := strings.CutPrefix(actor, "token:"); ok {
		return s.tokens.Standing(ctx, id)
	}
	if strings.HasPrefix(actor, "local:") {
		return nil
	}
	return &identity.Refusal{Code: "forbidden", Status: http.StatusForbidden, Detail: "nobody knows the actor " + actor}
}
