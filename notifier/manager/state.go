package manager

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// verdict is what the manager decided of a client, apart from what its server says.
type verdict uint8

const (
	noVerdict verdict = iota
	lost              // no report of its server for too long
	unnamed           // a full report of its server does not name it
	revoked           // its certificate
)

// String is the reason that people read.
func (v verdict) String() string {
	return [...]string{"", wire.OfflineLost, wire.OfflineFull, wire.OfflineRevoked}[v]
}

// client is what is kept of one client: the last row that counted, and the verdict. It is never changed, but replaced.
// Times are microseconds since 1970: a hundred thousand of them are in memory.
type client struct {
	Version     uint64       `json:"v"` // of the mirror's counter
	Session     uint64       `json:"s"`
	Seq         uint64       `json:"q"`
	Epoch       uint64       `json:"e"` // of the server, as it told
	Certificate uint64       `json:"c,omitempty"`
	Barred      uint64       `json:"b,omitempty"` // the certificate that was revoked, and all before it
	Since       int64        `json:"f"`
	Last        int64        `json:"l"`
	Decided     int64        `json:"d,omitempty"` // when the verdict fell
	Address     string       `json:"a,omitempty"`
	Reason      string       `json:"r"`
	Why         string       `json:"w,omitempty"` // it came over HTTP
	Server      uint32       `json:"n"`
	Online      bool         `json:"o,omitempty"`
	Channel     wire.Channel `json:"h,omitempty"`
	Verdict     verdict      `json:"j,omitempty"`
	Elders      []elder      `json:"x,omitempty"` // connections elsewhere that this one replaced
}

// elder is a connection that was replaced by one at another server. Until its server has closed it, that server goes on
// saying online.
type elder struct {
	Server  uint32 `json:"n"`
	Epoch   uint64 `json:"e"`
	Session uint64 `json:"s"`
}

// maxElders bounds how many are remembered of a client.
const maxElders = 8

// replaced is the client's elders with the connection itself as the youngest.
func (c *client) replaced() []elder {
	out := append(slices.Clone(c.Elders), elder{c.Server, c.Epoch, c.Session})
	return out[max(0, len(out)-maxElders):]
}

// isElder says whether what a server tells is of a connection that was replaced.
func (c *client) isElder(by teller, session uint64) bool {
	return slices.ContainsFunc(c.Elders, func(e elder) bool {
		return e.Server == by.server && e.Epoch == by.epoch && session <= e.Session
	})
}

// online says whether the client counts as connected.
func (c *client) online() bool { return c.Online && c.Verdict == noVerdict }

// why is the reason of the status, and at when it began.
func (c *client) why() (reason string, at int64) {
	switch {
	case c.Verdict == revoked, c.Online && c.Verdict != noVerdict:
		return c.Verdict.String(), c.Decided
	case c.Online:
		return c.Reason, c.Since
	}
	return c.Reason, max(c.Since, c.Last)
}

// compare is the place of a row before (-1) or behind (1) what is known: by session, then by number.
func (c *client) compare(r wire.Row) int {
	if r.Session != c.Session {
		if r.Session < c.Session {
			return -1
		}
		return 1
	}
	if r.Seq < c.Seq {
		return -1
	}
	if r.Seq > c.Seq {
		return 1
	}
	return 0
}

// server is what is kept of one notification server.
type server struct {
	ID       uint32    `json:"id"`
	Name     string    `json:"name"`
	Epoch    uint64    `json:"epoch"`
	Version  uint64    `json:"version"`
	Full     uint64    `json:"full,omitempty"`    // version of the last full report of this epoch
	Reported time.Time `json:"reported,omitzero"` // when a report of it was last loaded, by this clock
	Silent   bool      `json:"silent,omitempty"`
	Owes     bool      `json:"owes,omitempty"` // a full report
}

// countsAnew says whether a server that speaks is behind what is known of it: its count of starts was lost or put back,
// or a file told of more than there was. Otherwise its reports would be late until it is as far again. A report may be
// loaded before its server knows that it was written.
func (s *server) countsAnew(ask wire.Ask) bool {
	return ask.Epoch < s.Epoch || ask.Epoch == s.Epoch && ask.Version+1 < s.Version
}

// connected is a time at which a client was connected, once it is over.
type connected struct {
	Client   uuid.UUID    `json:"client"`
	Server   uint32       `json:"server"`
	Channel  wire.Channel `json:"channel"`
	Session  uint64       `json:"session"`
	From, To int64        // microseconds since 1970
	Reason   string       `json:"reason"`
	Version  uint64       `json:"version"`
}

// ServerStatus is a notification server as a person asks for it.
type ServerStatus struct {
	Server   string    `json:"server"`
	ServerID uint32    `json:"server_id"`
	Epoch    uint64    `json:"epoch"`
	Version  uint64    `json:"version"`
	Reported time.Time `json:"reported,omitzero"` // when a file of it last came
	Silent   bool      `json:"silent"`
	Owes     bool      `json:"owes_full"`
	Online   int       `json:"online"`
	TCP      int       `json:"tcp"`
	HTTP     int       `json:"http"`
}

// Presence is a client as a person asks for it.
type Presence struct {
	Client  uuid.UUID    `json:"client"`
	Server  uint32       `json:"server_id"`
	Online  bool         `json:"online"`
	Channel wire.Channel `json:"channel"`
	Session uint64       `json:"session"`
	Seq     uint64       `json:"seq"`
	Since   time.Time    `json:"since"` // of the connection or of its end
	Last    time.Time    `json:"last_heard"`
	At      time.Time    `json:"status_time"`
	Address string       `json:"address"`
	Reason  string       `json:"reason"`
}

// micro is a time as it is kept. What the tables cannot hold would keep all else from them.
func micro(t time.Time) int64 {
	return min(max(t.UnixMicro(), 0), latest.UnixMicro())
}

// latest is the last time that is kept, as files have it.
var latest = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func fromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }
