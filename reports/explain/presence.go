package explain

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
)

// manyConnections is how often a client may lose its connection in a day until that is told.
const manyConnections = 12

// endings say in words why a client counts as offline. Of what only the client's system or the network knows they name
// what it may have been.
var endings = map[string]string{
	"closed": "the connection was closed, as an agent does that is stopped and a machine that is shut down",
	"reset":  "the connection broke off",
	"silent": "nothing came from it for too long: the machine may sleep, be switched off, or have lost the " +
		"network",
	"server_stopping": "the notification server was stopped; the client signs in again when it runs",
	"server_full":     "its server does not name it among the connected clients any more",
	"revoked":         "its certificate is refused",
	"expired":         "its certificate ran out",
	"replaced":        "the client connected again, here or at another server",
	"duplicate":       "another machine with the same identity is connected in its place",
}

// presence tells whether the client is connected, how, and if not, why.
func (f *facts) connection() {
	p := f.presence
	switch {
	case f.unconnected():
		return
	case !p.found && f.known() && f.header.retired.IsZero():
		f.add(Note, "no_channel", time.Time{}, "It has never been connected: it has not signed in at a notification "+
			"server of this site.")
	case !p.found:
	case p.online:
		f.connected()
	default:
		f.offline()
	}
	f.doubted()
	f.uncertified()
	if p.times >= manyConnections {
		f.add(Warning, "reconnects", time.Time{}, "Its connection ended %s times in the last 24 hours, most often "+
			"(%s times) because %s.", humanize.Number(p.times), humanize.Number(p.lost), ending(p.lostAs))
	}
}

// unconnected says that the client has never been connected, and that none is on this site.
func (e *evidence) unconnected() bool {
	return e.presence.servers == 0 || e.schedule.Uncertified && !e.presence.found
}

// connected tells of a client that is online.
func (f *facts) connected() {
	p := f.presence
	text := fmt.Sprintf("Connected over TCP to %s%s since %s.", p.at(), p.from(), f.when(p.since))
	code, severity := "online", OK
	if p.http {
		code, severity = "online_http", Note
		text = fmt.Sprintf("Connected over HTTP to %s%s since %s: %s", p.at(), p.from(), f.when(p.since), p.whyHTTP())
	}
	f.add(severity, code, p.since, "%s%s", text, f.counted())
	if p.reason == "duplicate" {
		f.add(Bad, "duplicate_identity", p.since, "Several machines sign in with this client's identity, and take the "+
			"connection from each other. The newest keeps it and the others are told to stay away.")
	}
}

// counted says how old the knowledge is that the client is connected.
func (f *facts) counted() string {
	p := f.presence
	if p.told.IsZero() || !p.told.After(p.since) {
		return ""
	}
	return fmt.Sprintf(" Its server reported last at %s, and said nothing else.", f.when(p.told))
}

// offline tells of a client that is not.
func (f *facts) offline() {
	p := f.presence
	heard := ""
	if !p.heard.IsZero() {
		heard = fmt.Sprintf(" The last byte of it that is known of came at %s, over %s.", f.when(p.heard), p.by())
	}
	if p.reason == "server_lost" {
		f.add(Warning, "server_lost", p.since,
			"Whether it is connected is not known since %s: its server %s does not report. "+
				"That says nothing about the machine.%s", f.when(p.since), p.at(), heard)
		return
	}
	severity := Note
	if p.reason == "revoked" || p.reason == "duplicate" {
		severity = Bad
	}
	f.add(severity, "offline", p.since, "Not connected: %s declared it offline at %s because %s.%s", p.at(),
		f.when(p.since), f.ended(), heard)
	if p.why != "" {
		f.add(Note, "last_http", time.Time{}, "When it was connected last, %s", p.whyHTTP())
	}
}

// ended is the reason, as far as it is told of this connection. Over HTTP nobody says good-bye but by asking no more.
func (f *facts) ended() string {
	p := f.presence
	switch quiet := p.since.Sub(p.heard); {
	case p.reason == "silent" && !p.heard.IsZero() && quiet > time.Second:
		return "nothing came from it for " + humanize.Span(quiet) +
			": the machine may sleep, be switched off, or have lost " +
			"the network"
	case p.reason == "closed" && p.http:
		return "it made no further request: its agent was stopped, or the machine is switched off, asleep or without network"
	}
	return ending(p.reason)
}

func ending(reason string) string {
	if text, ok := endings[reason]; ok {
		return text
	}
	return "of " + tabular.Shorten(reason, 80)
}

// doubted tells of a client that is heard of elsewhere, and yet has no connection.
func (f *facts) doubted() {
	p, at := f.presence, f.heardElsewhere()
	if p.online || at.IsZero() {
		return
	}
	f.add(Warning, "offline_but_heard", at,
		"And yet the machine is there: it reached a relay at %s. So it reaches the relay "+
			"and has no connection to the notification server: its agent may be of a version without one, or neither TCP nor "+
			"HTTP lets it through.", f.when(at))
}

// heardElsewhere is when the client reported or asked for its policy, later than it can have been without trying to
// connect; zero when it was not.
func (e *evidence) heardElsewhere() time.Time {
	at := later(e.header.lastReport, e.header.claimedTime)
	if e.schedule.OfflineAfter == 0 || e.now.Sub(at) > silentAfter ||
		at.Sub(later(e.presence.since, e.presence.heard)) < e.schedule.OfflineAfter {
		return time.Time{}
	}
	return at
}

// uncertified tells why a client cannot sign in, whatever it does.
func (f *facts) uncertified() {
	c := f.certificate
	if c == nil {
		return
	}
	switch c.State {
	case "none":
		if f.known() {
			f.add(Warning, "no_certificate", time.Time{}, "This site has issued no certificate to it, and nobody signs in "+
				"without one.")
		}
	case "expired":
		f.add(Warning, "certificate_expired", c.NotAfter, "Its certificate was valid until %s, so it cannot sign in.",
			f.when(c.NotAfter))
	case "revoked":
		f.add(Bad, "certificate_revoked", c.Since, "Its certificate was revoked by %s at %s, so it cannot sign in: %s",
			person(c.By), f.when(c.Since), tabular.Shorten(c.Why, 200))
	case "shared":
		f.add(Bad, "certificate_shared", c.Since, "At %s two machines showed certificates of this client.", f.when(c.Since))
	}
}

// person is who did something on the site's machine, as people say it: local:0 is root there.
func person(actor string) string {
	if actor == "local:0" {
		return "root"
	}
	return tabular.Shorten(actor, 80)
}

// at is the name of the server.
func (p presence) at() string { return tabular.Shorten(p.server, 80) }

// from is where the client came from.
func (p presence) from() string {
	if p.address == "" {
		return ""
	}
	return " from " + tabular.Shorten(p.address, 60)
}

func (p presence) by() string {
	if p.http {
		return "HTTP"
	}
	return "TCP"
}

// whyHTTP is the reason as the client gave it.
func (p presence) whyHTTP() string {
	if p.why == "" {
		return "it did not say why TCP is not used."
	}
	return "it says that TCP failed: " + tabular.Shorten(p.why, 200) + "."
}

// tried is the address of TCP that the client named in its reason for HTTP; empty when it named none.
func (p presence) tried() string {
	rest, found := strings.CutPrefix(p.why, "tcp ")
	address, _, more := strings.Cut(rest, ": ")
	if _, _, err := net.SplitHostPort(address); !found || !more || err != nil {
		return ""
	}
	return tabular.Shorten(address, 80)
}

// connect tells what brings the client its connection.
func (n *next) connect() {
	p, c := n.presence, n.certificate
	if n.unconnected() || !n.known() || !n.header.retired.IsZero() {
		return
	}
	switch id := WireID(n.client.ID); {
	case c != nil && c.State == "revoked":
		n.add(time.Time{}, "To let it in again: `statewire enroll token create --client %s`, then `statewire agent "+
			"enroll` on "+
			"the machine, with that token.", id)
	case c != nil && c.State == "shared", p.reason == "duplicate":
		n.add(time.Time{}, "To give it an identity of its own: `statewire client revoke %s --reason TEXT`, and enrol each "+
			"machine anew.", id)
	case c != nil && (c.State == "none" || c.State == "expired"):
		n.add(time.Time{}, "To give it a certificate: `statewire agent enroll` on the machine, with a token of `statewire "+
			"enroll token create`")
	case p.reason == "server_lost":
		n.add(time.Time{}, "When %s reports again, the client is shown as it is. `statewire report notification-servers` "+
			"says "+
			"when it reported last.", p.at())
	case p.online && p.http:
		n.add(time.Time{}, "The client tries TCP again by itself, at least once in 72 min. What it needs is a way to %s.",
			cmp.Or(p.tried(), "its notification server's TCP port"))
	case !p.online && (!p.found || !n.heardElsewhere().IsZero()):
		n.add(time.Time{}, "`statewire agent status` on the machine says what it tries, and what it met at last.")
	case !p.online:
		n.add(time.Time{}, "The client signs in by itself once the machine is there: it tries at least every 5 min.")
	}
}
