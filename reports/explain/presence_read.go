package explain

import (
	"context"
	"time"

	"statewire/reports"
)

// presence is what the notification manager stored of a client's connection.
type presence struct {
	found       bool // the client was connected at some time
	online      bool
	http        bool
	server      string    // its name, or number where the name is not known
	since       time.Time // when it came, or went
	heard       time.Time // when the last byte of it came, as far as it is told
	told        time.Time // when its server reported last; zero: never
	address     string
	reason, why string
	servers     int // that ever reported
	times       int // that a connection ended in the last day
	lostAs      string
	lost        int // of them, as often for the most frequent reason
}

// Certificate is what the identity role has of a client's certificates.
type Certificate struct {
	State    string // none, enrolled, expired, revoked or shared
	Enrolled time.Time
	NotAfter time.Time
	Since    time.Time // it was revoked, or found with several machines
	By, Why  string    // of a revocation
}

func (e *evidence) readPresence(rows []reports.Record) {
	for _, r := range rows {
		e.presence = presence{
			found: r.Uint("found") == 1, online: r.Uint("online") == 1, http: r.Uint("channel") == 1, server: r.Raw("server"),
			since: r.Time("since"), heard: r.Time("heard"), told: r.Time("told"), address: r.Raw("address"),
			reason: r.Raw("reason"), why: r.Raw("why"), servers: r.Count("servers"), times: r.Count("times"),
			lostAs: r.Raw("lost_as"), lost: r.Count("lost"),
		}
		if e.presence.server == "" {
			e.presence.server = "server " + r.Raw("server_id")
		}
	}
}

// readCertificate asks the identity role, where a certificate decides and the client has no connection, or is all
// that is known of it.
func (e *evidence) readCertificate(ctx context.Context, x *Explainer) {
	if x.certificate == nil || e.presence.online || e.unconnected() && e.known() {
		return
	}
	c, err := x.certificate(ctx, e.client.ID)
	if err != nil {
		x.log.Warn("ask for a client's certificate", "client", e.client.ID, "err", err)
		return
	}
	e.certificate = &c
}

// enrolled is when a client enrolled of which nothing else is known; zero when it did not, or nobody can say.
func (e *evidence) enrolled() time.Time {
	if e.known() || e.certificate == nil {
		return time.Time{}
	}
	return e.certificate.Enrolled
}
