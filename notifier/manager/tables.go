package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
	"statewire/store"
)

// readServers reads the table of servers as it is.
func (w *mirror) readServers(ctx context.Context) error {
	w.servers = map[uint32]row{}
	err := w.db.EachRow(ctx, `SELECT server_id, server_name, isNotNull(online_clients), epoch, reported_time, silent,
		updated_time FROM notification_servers FINAL`, nil, func(scan func(...any) error) error {
		var id uint32
		var r row
		var reported, silent uint8
		err := scan(&id, &r.name, &reported, &r.epoch, &r.last, &silent, &r.updated)
		r.reported, r.silent = reported == 1, silent == 1
		w.servers[id] = r
		return err
	})
	if err != nil {
		return fmt.Errorf("read the table of notification servers: %w", err)
	}
	return nil
}

// changedServers are the servers that have another row than the table.
func (w *mirror) changedServers() map[uint32]row {
	now, out := w.m.now(), map[uint32]row{}
	w.m.mu.RLock()
	defer w.m.mu.RUnlock()
	for id, s := range w.m.servers {
		have := w.servers[id]
		want := row{name: s.Name, reported: s.Version > 0 || have.reported, epoch: s.Epoch, silent: s.Silent,
			last: time.UnixMicro(0).UTC(), updated: have.updated}
		if !s.Reported.IsZero() {
			want.last = s.Reported.UTC().Truncate(time.Microsecond)
		}
		if have.last.Equal(want.last) {
			want.last = have.last // the same in whatever zone
		}
		if have == want {
			continue
		}
		if want.updated = now; !have.updated.Before(now) {
			want.updated = have.updated.Add(time.Microsecond) // clocks are set back, the latest row counts all the same
		}
		out[id] = want
	}
	return out
}

// writeServers writes the servers that reported, or changed otherwise. How many clients each holds is counted by the
// view: the column says only that something came of it.
func (w *mirror) writeServers(ctx context.Context) error {
	changed := w.changedServers()
	var ids []uint32
	var names []string
	var online []*uint64
	var epochs []uint64
	var last, updated []time.Time
	var silent []uint8
	for id, r := range changed {
		var count *uint64
		if r.reported {
			count = new(uint64)
		}
		ids, names, online, epochs = append(ids, id), append(names, r.name), append(online, count), append(epochs, r.epoch)
		last, silent, updated = append(last, r.last), append(silent, store.Flag(r.silent)), append(updated, r.updated)
	}
	if err := w.insert(ctx, "notification_servers", `INSERT INTO notification_servers (server_id, server_name,
		online_clients, epoch, reported_time, silent, updated_time)`, len(ids), ids, names, online, epochs, last, silent,
		updated); err != nil {
		return err
	}
	for id, r := range changed {
		w.servers[id] = r
	}
	return nil
}

// waitingClient is a client of which the table lacks the latest.
type waitingClient struct {
	id uuid.UUID
	*client
}

// writeClients writes the clients that changed, those that changed first first.
func (w *mirror) writeClients(ctx context.Context) error {
	w.m.mu.RLock()
	waiting := make([]waitingClient, 0, len(w.m.unmirrored))
	for id := range w.m.unmirrored {
		waiting = append(waiting, waitingClient{id, w.m.clients[id]})
	}
	w.m.mu.RUnlock()
	slices.SortFunc(waiting, func(a, b waitingClient) int { return cmp.Compare(a.Version, b.Version) })
	for chunk := range slices.Chunk(waiting, mirrorRows) {
		if err := w.insertClients(ctx, chunk); err != nil {
			return err
		}
		if err := w.m.mirroredClients(chunk); err != nil {
			return fmt.Errorf("note how far the table of presence is: %w", err)
		}
	}
	return nil
}

func (w *mirror) insertClients(ctx context.Context, clients []waitingClient) error {
	n := len(clients)
	ids, online, channels := make([]uuid.UUID, n), make([]uint8, n), make([]uint8, n)
	at, since, last := make([]time.Time, n), make([]time.Time, n), make([]time.Time, n)
	servers, sessions, seqs := make([]uint32, n), make([]uint64, n), make([]uint64, n)
	addresses, reasons, whys, versions := make([]string, n), make([]string, n), make([]string, n), make([]uint64, n)
	for i, c := range clients {
		reason, began := c.why()
		ids[i], online[i], channels[i], at[i] = c.id, store.Flag(c.online()), uint8(c.Channel), fromMicro(began)
		servers[i], sessions[i], seqs[i] = c.Server, c.Session, c.Seq
		since[i], last[i], addresses[i], reasons[i] = fromMicro(c.Since), fromMicro(c.Last), c.Address, reason
		whys[i], versions[i] = c.Why, c.Version
	}
	return w.insert(ctx, "client_presence", `INSERT INTO client_presence (client_id, online_status, channel_type,
		last_status_time, server_id, session, seq, since, last_heard, address, reason, why, version)`,
		n, ids, online, channels, at, servers, sessions, seqs, since, last, addresses, reasons, whys, versions)
}

// mirroredClients notes that clients are in the table. One that changed meanwhile waits on.
func (m *Manager) mirroredClients(clients []waitingClient) error {
	upTo := clients[len(clients)-1].Version
	err := m.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketMeta, metaMirrored, upTo) })
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mirrored = upTo
	for _, c := range clients {
		if m.clients[c.id] == c.client {
			delete(m.unmirrored, c.id)
		}
	}
	if m.behindSince = m.now(); len(m.unmirrored) == 0 {
		m.behindSince, m.unmirrored = time.Time{}, map[uuid.UUID]struct{}{} // a map keeps what it once needed
	}
	return nil
}

// writeHistory writes the times of being connected that are over.
func (w *mirror) writeHistory(ctx context.Context) error {
	for {
		keys, waiting, err := some[connected](w.m.db, bucketHistory)
		if err != nil || len(keys) == 0 {
			return err
		}
		n := len(waiting)
		ids, servers, channels := make([]uuid.UUID, n), make([]uint32, n), make([]uint8, n)
		sessions, versions := make([]uint64, n), make([]uint64, n)
		from, to, reasons := make([]time.Time, n), make([]time.Time, n), make([]string, n)
		for i, h := range waiting {
			ids[i], servers[i], channels[i], sessions[i] = h.Client, h.Server, uint8(h.Channel), h.Session
			from[i], to[i], reasons[i], versions[i] = fromMicro(h.From), fromMicro(h.To), h.Reason, h.Version
		}
		if err := w.insert(ctx, "presence_history", `INSERT INTO presence_history (client_id, server_id, channel_type,
			session, from_time, to_time, reason, version)`, n, ids, servers, channels, sessions, from, to, reasons,
			versions); err != nil {
			return err
		}
		if err := w.m.drop(bucketHistory, keys); err != nil {
			return err
		}
		w.m.history.Add(-int64(n))
	}
}

// writeMessages writes the status messages. The table keeps copies, so that those of an insert whose outcome nobody
// knows are looked for first.
func (w *mirror) writeMessages(ctx context.Context) error {
	for {
		keys, waiting, err := some[wire.ComponentMessage](w.m.db, bucketMessages)
		if err != nil || len(keys) == 0 {
			return err
		}
		there := map[string]bool{}
		if w.unsure {
			if there, err = w.messagesThere(ctx, waiting); err != nil {
				return err
			}
		}
		waiting = slices.DeleteFunc(waiting, func(c wire.ComponentMessage) bool { return there[messageKey(c)] })
		if err := w.insertMessages(ctx, waiting); err != nil {
			return err
		}
		if err := w.m.drop(bucketMessages, keys); err != nil {
			return err
		}
	}
}

func (w *mirror) insertMessages(ctx context.Context, messages []wire.ComponentMessage) error {
	n := len(messages)
	times, components, hosts := make([]time.Time, n), make([]string, n), make([]string, n)
	pids, events, texts := make([]uint32, n), make([]string, n), make([]string, n)
	took, ids := make([]uint64, n), make([]uint32, n)
	for i, c := range messages {
		times[i], components[i], hosts[i], pids[i] = c.Time, c.Component, w.host, uint32(os.Getpid())
		events[i], texts[i], ids[i] = "message", c.Text, uint32(c.ID)
	}
	return w.insert(ctx, "component_status", `INSERT INTO component_status (time, component, host, pid, event, text,
		processing_ms, message_id)`, n, times, components, hosts, pids, events, texts, took, ids)
}

// messagesThere are the messages that the table has of the time of these.
func (w *mirror) messagesThere(ctx context.Context, messages []wire.ComponentMessage) (map[string]bool, error) {
	first, last := messages[0].Time, messages[0].Time
	for _, c := range messages {
		if c.Time.Before(first) {
			first = c.Time
		}
		if c.Time.After(last) {
			last = c.Time
		}
	}
	there := map[string]bool{}
	err := w.db.EachRow(ctx, `SELECT time, component, message_id, text FROM component_status
		WHERE message_id > 0 AND time >= {first:DateTime64(6, 'UTC')} AND time <= {last:DateTime64(6, 'UTC')}`,
		[]any{store.TimeArg("first", first.Add(-time.Millisecond)), store.TimeArg("last", last)},
		func(scan func(...any) error) error {
			var c wire.ComponentMessage
			var id uint32
			err := scan(&c.Time, &c.Component, &id, &c.Text)
			c.ID = int(id)
			there[messageKey(c)] = true
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read which status messages are there: %w", err)
	}
	return there, nil
}

// messageKey tells messages apart, as exactly as their table does.
func messageKey(c wire.ComponentMessage) string {
	return fmt.Sprint(c.Time.UnixMilli(), " ", c.Component, " ", c.ID, " ", c.Text)
}

// insert writes rows into a table; none is no insert.
func (w *mirror) insert(ctx context.Context, table, statement string, rows int, columns ...any) error {
	if rows == 0 {
		return nil
	}
	if err := w.db.Insert(ctx, statement, columns...); err != nil {
		return fmt.Errorf("write table %s: %w", table, err)
	}
	w.m.metrics.mirrored.WithLabelValues(table).Add(float64(rows))
	return nil
}

// some are the oldest of what waits in a bucket, with their keys.
func some[T any](db *bbolt.DB, bucket []byte) (keys [][]byte, values []T, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucket, func(key []byte, value T) bool {
			keys, values = append(keys, slices.Clone(key)), append(values, value)
			return len(keys) < mirrorRows
		})
	})
	return keys, values, err
}

// drop removes what is in its table.
func (m *Manager) drop(bucket []byte, keys [][]byte) error {
	err := m.db.Update(func(tx *bbolt.Tx) error {
		var errs []error
		for _, key := range keys {
			errs = append(errs, tx.Bucket(bucket).Delete(key))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return fmt.Errorf("note what is in the tables: %w", err)
	}
	return nil
}
