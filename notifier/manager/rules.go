package manager

import (
	"unique"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// teller is who tells of a client.
type teller struct {
	server uint32
	epoch  uint64
	late   bool // in a report whose place was before one that is loaded
	stale  bool // in one before a full report that is loaded, or of an earlier start
	full   bool // in a full report
}

// What became of a row, as counted.
const (
	rowStored = "stored"
	rowSame   = "same" // known already
	rowOld    = "old"  // something greater is known
	rowBad    = "bad"
)

// row takes what a server tells of a client. The greater of (Session, Seq) counts, whoever comes first, and no time
// decides anything.
func (c *change) row(by teller, r wire.Row) {
	old := c.client(r.Client)
	order := 1
	if old != nil {
		order = old.compare(r)
	}
	switch {
	case old == nil && c.erased(r): // nothing is kept of it
		c.rows[rowOld]++
	case order > 0:
		c.rows[rowStored]++
		c.take(by, r, old)
	case order == 0 && old.Server == by.server:
		c.rows[rowSame]++
		c.confirm(by, r, old)
	default:
		c.rows[rowOld]++
		c.loses(by, r, old)
	}
}

// erased says whether a row is what its server still tells of a client that was erased: that its connection goes on
// with a certificate that is no good any more, or was closed for that.
func (c *change) erased(r wire.Row) bool {
	good := c.m.forgotten[r.Client]
	return !r.Online && r.Reason == wire.OfflineRevoked || good > 0 && r.Certificate <= good
}

// take stores a row that counts.
func (c *change) take(by teller, r wire.Row, old *client) {
	one := client{Session: r.Session, Seq: r.Seq, Epoch: by.epoch, Certificate: r.Certificate, Server: by.server,
		Since: micro(r.Since), Last: micro(r.Last), Address: r.Address, Reason: unique.Make(r.Reason).Value(), Why: r.Why,
		Online: r.Online, Channel: r.Channel}
	if old != nil {
		one.Verdict, one.Decided, one.Barred, one.Elders = old.Verdict, old.Decided, old.Barred, old.Elders
		if r.Certificate == 0 && !r.Online {
			one.Certificate = old.Certificate
		}
		if old.Online && old.Server != by.server {
			one.Elders = old.replaced()
			c.end(old.Server, r.Client, old.Session)
		}
	}
	switch {
	case r.Online && by.stale && one.Verdict != revoked: // the full report would have named it
		one.Verdict, one.Decided = unnamed, c.now.UnixMicro()
	case !r.Online && r.Reason == wire.OfflineRevoked:
		one.Verdict, one.Decided, one.Barred = revoked, one.Since, max(one.Barred, one.Certificate)
	case r.Online && one.Verdict == revoked && r.Certificate <= one.Barred:
	case r.Online:
		one.Verdict, one.Decided = noVerdict, 0
	}
	c.set(r.Client, one)
}

// confirm takes a row that is known: what the manager decided falls when the server says online. A late report was
// written before that was decided.
func (c *change) confirm(by teller, r wire.Row, old *client) {
	if r.Online && !by.late {
		c.acquit(r.Client, old)
	}
}

// acquit ends a verdict, but for a revocation.
func (c *change) acquit(id uuid.UUID, old *client) {
	if old.Verdict != lost && old.Verdict != unnamed {
		return
	}
	one := *old
	one.Verdict, one.Decided = noVerdict, 0
	c.set(id, one)
}

// loses takes a row below what is known. A server that says online without knowing of the greater session is told to
// count on from it; the server that told of that session itself knows.
func (c *change) loses(by teller, r wire.Row, old *client) {
	if !r.Online || by.late {
		return
	}
	if by.full && old.Server == by.server && old.Online {
		c.acquit(r.Client, old)
	}
	switch {
	case old.isElder(by, r.Session):
		c.end(by.server, r.Client, r.Session) // again: it may not have come through
	case old.Server != by.server || old.Epoch != by.epoch:
		c.raise(by.server, r.Client, old.Session+1)
	}
}

// decide gives a client a verdict.
func (c *change) decide(id uuid.UUID, v verdict) {
	one := *c.client(id)
	one.Verdict, one.Decided = v, c.now.UnixMicro()
	if v == revoked {
		one.Barred = max(one.Barred, one.Certificate)
	}
	c.set(id, one)
}

// absent gives a verdict to the clients that a full report of their server does not name. One that was told of at once
// may have come after the report was written: the next one decides.
func (c *change) absent(id uint32, named map[uuid.UUID]struct{}) {
	for client, one := range c.m.clients {
		if one.Server != id || !one.online() {
			continue
		}
		if _, ok := named[client]; ok {
			continue
		}
		if now := c.client(client); now == nil || now.Server != id || !now.online() {
			continue
		}
		if told, ok := c.m.seen[client]; ok && told.server == id && !told.doubted {
			c.then = append(c.then, func() { c.m.seen[client] = atOnce{id, true} })
			continue
		}
		c.decide(client, unnamed)
	}
}

// doubted gives a verdict to the clients that were told of at once, that a full report did not name, and the one after
// it neither.
func (c *change) doubted(id uint32, named map[uuid.UUID]struct{}) {
	for client, told := range c.m.seen {
		one := c.client(client)
		_, ok := named[client]
		if !ok && told == (atOnce{id, true}) && one != nil && one.Server == id && one.online() {
			c.decide(client, unnamed)
		}
	}
}
