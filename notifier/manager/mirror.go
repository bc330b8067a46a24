package manager

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"statewire/internal/backoff"
	"statewire/notifier/wire"
	"statewire/store"
)

// mirror writes what is known into the tables of a store. Whatever it writes twice counts once there: the same version
// of a client, the same time of being connected, a message that is there already.
type mirror struct {
	m    *Manager
	db   *store.Store
	host string

	checked time.Time      // when the tables were last held against what is known
	servers map[uint32]row // of the table of servers
	unsure  bool           // messages of an insert that failed may be there

	sums      map[uint64]taskSum // of the tasks, at the last look
	strangers int                // results of unknown tasks that are in the table; -1: nobody looked
	told      string             // the last failure that was logged
}

// row is a row of the table of servers.
type row struct {
	name     string
	reported bool // something came of it
	epoch    uint64
	last     time.Time // when its last report came; 1970 for never
	silent   bool
	updated  time.Time
}

// Mirror keeps the tables of the store equal to what is known, within a second, until ctx is done. A store that is away
// gets what it lacks when it is back, and one that was made anew gets everything. It writes nothing where nothing
// changed.
func (m *Manager) Mirror(ctx context.Context, db *store.Store) error {
	w, err := newMirror(m, db)
	if err != nil {
		return err
	}
	m.tables.Store(db)
	defer m.tables.Store(nil)
	look := time.NewTicker(mirrorLook)
	defer look.Stop()
	for {
		pause := mirrorPause
		if err := w.step(ctx); err != nil && ctx.Err() == nil {
			pause = mirrorRetry
			w.failed(err)
		}
		if backoff.Sleep(ctx, pause) != nil {
			return nil
		}
		if w.checked.IsZero() {
			continue // it failed: again
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			w.checked = time.Time{}
		case <-m.mirror:
			if backoff.Sleep(ctx, mirrorDelay) != nil { // what comes together goes together
				return nil
			}
		}
	}
}

// MirrorLast writes what the tables lack once Mirror has ended: what the servers said when they stopped. It ends with
// ctx.
func (m *Manager) MirrorLast(ctx context.Context, db *store.Store) error {
	if m.countBehind() == 0 && !m.tasksWait() {
		return nil
	}
	w, err := newMirror(m, db)
	if err != nil {
		return err
	}
	if err := w.readServers(ctx); err != nil {
		return err
	}
	w.checked = time.Now() // the next start holds the tables against what is known
	return w.step(ctx)
}

func newMirror(m *Manager, db *store.Store) (*mirror, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this machine: %w", err)
	}
	return &mirror{m: m, db: db, host: host, unsure: true, strangers: -1}, nil
}

// failed logs a failure, once as long as it is the same, and has the next step look at the tables anew.
func (w *mirror) failed(err error) {
	w.m.metrics.mirrorFailed.Inc()
	w.checked, w.unsure = time.Time{}, true
	if text := err.Error(); text != w.told {
		w.told = text
		w.m.log.Warn("presence and tasks are not in the store yet; it is tried again", "in", mirrorRetry, "err", err)
	}
}

// step writes what the tables lack.
func (w *mirror) step(ctx context.Context) error {
	looks := w.checked.IsZero()
	if looks {
		if err := w.check(ctx); err != nil {
			return err
		}
		w.checked = time.Now()
	}
	for _, write := range []func(context.Context) error{w.writeServers, w.writeClients, w.writeHistory, w.writeMessages,
		w.writeTasks, w.writeStrangers} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	if looks {
		if err := w.checkTasks(ctx); err != nil {
			return err
		}
	}
	w.unsure, w.told = false, ""
	return nil
}

// check finds out whether the tables are those that were written: a store may have been made anew or put back from a
// copy, and so may the state file.
func (w *mirror) check(ctx context.Context) error {
	w.strangers = -1
	if err := w.db.KeepPresence(ctx, w.m.cfg.History); err != nil {
		return err
	}
	if err := w.db.KeepTasks(ctx, w.m.settings.Load().Tasks.Keep); err != nil {
		return err
	}
	if err := w.adoptTasks(ctx); err != nil {
		return err
	}
	if err := w.readServers(ctx); err != nil {
		return err
	}
	var rows, greatest uint64
	err := w.db.Conn().QueryRow(ctx, "SELECT count(), max(version) FROM client_presence FINAL").Scan(&rows, &greatest)
	if err != nil {
		return fmt.Errorf("read how far the table of presence is: %w", err)
	}
	w.m.mu.RLock()
	counter, mirrored := w.m.counter, w.m.mirrored
	want := uint64(len(w.m.clients) - len(w.m.unmirrored))
	w.m.mu.RUnlock()
	switch {
	case greatest > counter:
		return w.adopt(ctx, greatest)
	case greatest < mirrored || rows < want:
		return w.again(ctx)
	}
	return nil
}

//go:embed present.sql
var presentSQL string

// adopt takes the clients that only the table knows: the state file is new, or an older copy. Versions go on above
// those of the table.
func (w *mirror) adopt(ctx context.Context, greatest uint64) error {
	found := map[uuid.UUID]client{}
	err := w.db.EachRow(ctx, presentSQL, nil, func(scan func(...any) error) error {
		var id uuid.UUID
		var c client
		var online, channel uint8
		var at, since, last time.Time
		if err := scan(&id, &online, &channel, &at, &c.Server, &c.Session, &c.Seq, &since, &last, &c.Address,
			&c.Reason, &c.Why); err != nil {
			return err
		}
		c.Online, c.Channel, c.Since, c.Last = online == 1, wire.Channel(channel), since.UnixMicro(), last.UnixMicro()
		c.judged(at.UnixMicro())
		found[id] = c
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the table of presence: %w", err)
	}
	w.m.log.Warn("the store knows more of presence than the state file, which is new or an older copy", "clients",
		len(found))
	return w.m.update(func(c *change) error {
		c.counter = max(c.counter, greatest)
		for id, one := range w.m.clients {
			c.renumber(id, *one)
		}
		for id, one := range found {
			if c.client(id) == nil {
				c.renumber(id, one)
			}
		}
		return nil
	})
}

// judged makes a verdict of a reason that is none of a server's.
func (c *client) judged(at int64) {
	for _, v := range []verdict{lost, unnamed, revoked} {
		if c.Reason == v.String() {
			c.Verdict, c.Decided = v, at
			if v != revoked {
				c.Online, c.Reason = true, wire.Online
			}
		}
	}
}

// renumber gives a client the next version, and changes nothing else.
func (c *change) renumber(id uuid.UUID, one client) {
	c.counter++
	one.Version = c.counter
	c.clients[id] = &one
}

// again has everything written that the table does not have, but for clients that were erased: those are forgotten.
func (w *mirror) again(ctx context.Context) error {
	versions := map[uuid.UUID]uint64{}
	err := w.db.EachRow(ctx, "SELECT client_id, version FROM client_presence FINAL", nil,
		func(scan func(...any) error) error {
			var id uuid.UUID
			var version uint64
			err := scan(&id, &version)
			versions[id] = version
			return err
		})
	if err != nil {
		return fmt.Errorf("read the table of presence: %w", err)
	}
	erased, err := w.erased(ctx)
	if err != nil {
		return err
	}
	var forget []uuid.UUID
	w.m.mu.Lock()
	lacking := 0
	for id, one := range w.m.clients {
		version, there := versions[id]
		if _, waits := w.m.unmirrored[id]; waits || there && version >= one.Version {
			continue
		}
		if !there && erased[hashOf(id)] {
			forget = append(forget, id)
			continue
		}
		lacking++
		w.m.unmirrored[id] = struct{}{}
	}
	w.m.mu.Unlock()
	if lacking > 0 {
		w.m.log.Warn("the store lacks presence that it had; it is written again", "clients", lacking)
	}
	return w.m.Forget(ctx, forget)
}

// erased are the hashes of the ids of clients that were erased.
func (w *mirror) erased(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	err := w.db.EachRow(ctx, "SELECT client_hash FROM serial_floors", nil, func(scan func(...any) error) error {
		var hash string
		err := scan(&hash)
		out[hash] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which clients were erased: %w", err)
	}
	return out, nil
}

// hashOf is what is kept of the id of an erased client.
func hashOf(id uuid.UUID) string {
	sum := sha256.Sum256([]byte(id.String()))
	return hex.EncodeToString(sum[:])
}

func (m *Manager) wakeMirror() {
	select {
	case m.mirror <- struct{}{}:
	default: // one that was not taken yet says the same
	}
}
