package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"statewire/notifier/wire"
	"statewire/smx"
)

const (
	connectTimeout = 10 * time.Second
	signInTimeout  = 10 * time.Second
	writeTimeout   = 10 * time.Second
)

// tcpLink is a TLS connection to the notifier.
type tcpLink struct {
	// Constant.
	conn   *tls.Conn
	known  facts
	frames chan frame
	done   chan struct{} // closed: nobody takes frames any more

	err error // Read once frames is closed.
}

// overTCP connects to the notifier and signs in.
func (c *Channel) overTCP(ctx context.Context, address, reason string) (link, error) {
	m := newMeter(c.d.Now)
	conn, err := c.connectTCP(ctx, address, m)
	if err != nil {
		return nil, c.explained("tcp", address, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.NetConn().Close() })
	confirm, err := c.signInTCP(conn, reason)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, c.explained("tcp", address, err)
	}
	l := &tcpLink{conn: conn, frames: make(chan frame), done: make(chan struct{}),
		known: facts{transport: "TCP", server: address, keepAlive: confirm.KeepAlive, confirm: confirm, meter: m}}
	go l.read()
	return l, nil
}

// signInTCP says who the client is, and waits until the server has confirmed it.
func (c *Channel) signInTCP(conn *tls.Conn, reason string) (confirm wire.SignInConfirmMessage, err error) {
	hello, err := c.signIn(wire.TCP, reason, "")
	if err != nil {
		return confirm, err
	}
	if err = conn.SetDeadline(time.Now().Add(signInTimeout)); err == nil {
		_, err = conn.Write(wire.AppendFrame(nil, wire.SignIn, hello.Encode()))
	}
	for err == nil {
		var f frame
		if f.kind, f.payload, err = wire.ReadFrame(conn, wire.MaxFrame); err != nil {
			break
		}
		if !f.kind.Skipped() {
			if confirm, err = c.confirmed(f, hello.Session); err == nil {
				err = conn.SetDeadline(time.Time{})
			}
			return confirm, err
		}
	}
	return confirm, fmt.Errorf("sign in: %w", err)
}

// signIn is what the client says of itself. Its session is on disk.
func (c *Channel) signIn(by wire.Channel, reason, why string) (wire.SignInMessage, error) {
	session, err := c.d.Sessions.NextSession()
	if err != nil {
		return wire.SignInMessage{}, fmt.Errorf("keep the number of the session: %w", err)
	}
	return wire.SignInMessage{Time: c.d.Now(), Client: c.d.Client, Version: c.d.Version, Session: session,
		Boot: c.d.Boot, Channel: by, Reason: reason, Why: why, Held: held(c.d.Tasks)}, nil
}

// confirmed reads the answer to a sign-in.
func (c *Channel) confirmed(f frame, offered uint64) (confirm wire.SignInConfirmMessage, err error) {
	switch f.kind {
	case wire.Close:
		m, err := wire.DecodeClose(f.payload)
		if err != nil {
			return confirm, err
		}
		return confirm, &closed{CloseMessage: m}
	case wire.SignInConfirm:
		if confirm, err = wire.DecodeSignInConfirm(f.payload); err != nil {
			return confirm, err
		}
		c.toldTime(confirm)
		confirm.Session = max(offered, c.keepSession(confirm.Session))
		return confirm, nil
	}
	return confirm, fmt.Errorf("a frame of type %d instead of an answer", f.kind)
}

// keepSession keeps the session that a server knows. One that cannot be kept is the server's alone.
func (c *Channel) keepSession(session uint64) uint64 {
	if err := c.d.Sessions.KeepSession(session); err != nil {
		c.d.Log.Log(context.Background(), c.level(slog.LevelWarn), "session of the channel not kept", "client",
			smx.ClientID(c.d.Client), "session", session, "err", err)
	}
	return session
}

// read passes the server's frames on until there are no more.
func (l *tcpLink) read() {
	defer close(l.frames)
	for {
		var f frame
		if f.kind, f.payload, l.err = wire.ReadFrame(l.conn, wire.MaxFrame); l.err != nil {
			l.complain(l.err)
			return
		}
		select {
		case l.frames <- f:
		case <-l.done:
			return
		}
	}
}

// complain tells the server which rule its frame breaks.
func (l *tcpLink) complain(err error) {
	var bad *wire.FrameError
	if errors.As(err, &bad) {
		_ = l.write(wire.Close, wire.CloseMessage{Code: bad.Code, Text: bad.Text}.Encode()) // the link ends anyway
	}
}

func (l *tcpLink) write(k wire.Kind, payload []byte) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(wire.AppendFrame(nil, k, payload))
	return err
}

func (l *tcpLink) received() <-chan frame { return l.frames }
func (l *tcpLink) fault() error           { return l.err }
func (l *tcpLink) ping() error            { return l.write(wire.KeepAlive, nil) }
func (l *tcpLink) send(answers []Answer) error {
	for _, a := range answers {
		if err := l.write(a.Kind, a.Payload); err != nil {
			return err
		}
	}
	return nil
}
func (l *tcpLink) raise(uint64) {}
func (l *tcpLink) facts() facts { return l.known }

func (l *tcpLink) close(bool) {
	close(l.done)
	_ = l.conn.Close() // what is gone is gone
	for range l.frames {
	}
}
