package client

import (
	"cmp"
	"crypto/tls"
	"time"

	"github.com/google/uuid"

	"statewire/agent"
	"statewire/agent/channel"
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

// channelPatience is how long a client may be without its fast channel before somebody is told. Nothing is lost
// meanwhile.
const channelPatience = time.Hour

// connect makes the client's fast channel.
func (l *localAgent) connect(cfg agent.Config, trusted *tls.Config) {
	l.channel = channel.New(channel.Deps{
		Client: uuid.UUID(l.id.Client), Version: l.id.ClientVersion, Boot: uuid.NewString(),
		Sessions: l.store.Client(l.id.Client), Enrolled: l.credentials.Enrolled, Addresses: l.addresses,
		TLS:  func(host string) *tls.Config { return l.credentials.TLS(trusted, host) },
		Wake: l.agent.PollNow, Tasks: l.runner, StartupJitter: cfg.StartupJitter, Log: l.log,
	})
	l.credentials.OnChange(func() { l.channel.Reconnect("the client has another certificate") })
	l.agent.OnPoll(l.channel.Look)
}

// addresses are where the client's site is to be reached now.
func (l *localAgent) addresses() channel.Addresses {
	wants := l.agent.Assignment()
	at := channel.Addresses{Relay: l.home, Known: wants.Known, StandIn: wants.Relay != "" && !wants.InUse}
	if wants.InUse {
		at.Relay = wants.Relay
	}
	at.Notifier, _ = channel.Notifier(wants.Notifier, at.Relay) // the relay's address was checked
	return at
}

// channelHealth judges a client's fast channel. Over HTTP it is well, and one that is not enrolled needs none.
func channelHealth(s local.ChannelReport, now time.Time, note func(h cli.Health, format string, args ...any)) {
	switch {
	case s.Transport != "":
	case s.Duplicate, s.Final:
		note(cli.HealthWarning, "the notifier does not take this client: %s", s.Failure)
	case s.Failure != "" && !s.DownFrom.IsZero() && now.Sub(s.DownFrom) > channelPatience:
		note(cli.HealthWarning, "without the notifier since %s: %s", whenever(s.DownFrom), s.Failure)
	}
}

// channelFields are what people and programs read of the fast channel. What is only so of a connection over TCP, or of
// one that lasts, is empty without it.
func channelFields(s local.ChannelReport) []cli.Field {
	local, remote, keepAlive := s.Local, s.Remote, ""
	if s.Transport == "" {
		local, remote = "", ""
	}
	if s.Transport == "TCP" {
		keepAlive = seconds(s.KeepAlive).String()
	}
	return []cli.Field{
		{"channel", cmp.Or(s.Transport, "none")}, {"channel_server", s.Server}, {"channel_since", whenever(s.Since)},
		{"channel_local", local}, {"channel_remote", remote}, {"channel_last_received", whenever(s.LastIn)},
		{"channel_last_sent", whenever(s.LastOut)}, {"channel_keepalive", keepAlive},
		{"channel_session", s.Session}, {"channel_waits", s.Waits}, {"channel_next_try", whenever(s.NextTry)},
		{"channel_next_tcp", whenever(s.NextTCP)}, {"channel_failure", s.Failure},
		{"channel_failed_at", whenever(s.FailedAt)},
	}
}
