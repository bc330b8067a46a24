package control

import (
	"context"
	"net"
)

// Peer is the user at the other end of a socket's connection, as the system knows it.
type Peer struct {
	UID  int
	Role string // of the site that this user runs; empty for owners
}

type peerKey struct{}

// ConnContext is for http.Server: the calls of a connection know their Peer.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := peerUID(unix)
	if err != nil {
		return ctx
	}
	return WithPeer(ctx, Peer{UID: uid})
}

// WithPeer says who calls.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// PeerOf is who calls; ok is false where the call came over no socket, or the system does not tell.
func PeerOf(ctx context.Context) (p Peer, ok bool) {
	p, ok = ctx.Value(peerKey{}).(Peer)
	return p, ok
}

// Actor names who acts, for records.
func Actor(ctx context.Context) string { return WhoOf(ctx).Actor }
