package local

import (
	"time"

	"statewire/agent/channel"
)

// ChannelReport is how the client's fast channel is doing.
type ChannelReport struct {
	Transport string    `json:"transport"` // TCP or HTTP; empty = not connected
	Server    string    `json:"server"`    // the notifier's address, over HTTP the relay's; or the one that is tried
	Since     time.Time `json:"since,omitzero"`
	Session   uint64    `json:"session,omitempty"`
	KeepAlive float64   `json:"keepalive_seconds,omitempty"` // over HTTP the requests do
	NextTCP   time.Time `json:"next_tcp,omitzero"`           // over HTTP: when TCP is tried again
	Waits     string    `json:"waits,omitempty"`             // for what, when not connected
	NextTry   time.Time `json:"next_try,omitzero"`           // when not connected

	Failure  string    `json:"failure,omitempty"` // why the last attempt or connection failed
	FailedAt time.Time `json:"failed_at,omitzero"`
	DownFrom time.Time `json:"down_from,omitzero"` // since when it is not connected

	Local   string    `json:"local,omitempty"` // addresses with ports
	Remote  string    `json:"remote,omitempty"`
	LastIn  time.Time `json:"last_received,omitzero"` // of the last byte
	LastOut time.Time `json:"last_sent,omitzero"`

	Duplicate bool `json:"duplicate,omitempty"` // the site says that another machine has this identity
	Final     bool `json:"final,omitempty"`     // the site wants nothing of this client
}

func newChannelReport(s channel.Status) ChannelReport {
	return ChannelReport{Transport: s.Transport, Server: s.Server, Since: s.Since.UTC(), Session: s.Session,
		KeepAlive: s.KeepAlive.Seconds(), NextTCP: s.NextTCP.UTC(), Waits: s.Waits, NextTry: s.NextTry.UTC(),
		Failure: s.Failure, FailedAt: s.FailedAt.UTC(), DownFrom: s.DownFrom.UTC(), Local: s.Local, Remote: s.Remote,
		LastIn: s.LastIn.UTC(), LastOut: s.LastOut.UTC(), Duplicate: s.Duplicate, Final: s.Final}
}
