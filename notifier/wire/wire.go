// Package wire is what the fast channel's ends say to each other: frames between client and server, presence reports
// between server and manager. What is read was bounded before memory was taken for it, and a frame or a document that
// breaks a rule is an error that says which.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ALPN is the protocol that both ends of a TLS connection name.
const ALPN = "statewire-channel/1"

const (
	// MaxFrame bounds a frame: its type and payload.
	MaxFrame = 64 << 10
	// HeaderBytes is what stands before a payload: the length of all that follows it, and the type.
	HeaderBytes = 5
)

// Kind is the type of a frame.
type Kind uint8

// The types of frames. Whoever meets one of 128 or more skips it: later versions may send them.
const (
	SignIn          Kind = 1  // client: who it is and why it comes
	SignInConfirm   Kind = 2  // server: from now on the client is online
	KeepAlive       Kind = 3  // client: still there
	KeepAliveAck    Kind = 4  // server: heard
	Request         Kind = 5  // server: a task
	Received        Kind = 6  // client: the task is kept, or runs
	Response        Kind = 7  // client: how the task ended
	ResponseConfirm Kind = 8  // server: which results are durable
	Cancel          Kind = 9  // server: drops a task that has not begun
	Close           Kind = 10 // either: why the connection ends
	Wake            Kind = 11 // server: ask for the policy

	firstSkipped Kind = 128
)

// Known says whether this version knows what the frame means.
func (k Kind) Known() bool { return k >= SignIn && k <= Wake }

// Skipped says whether a frame of this type is passed over without a word.
func (k Kind) Skipped() bool { return k >= firstSkipped }

// FrameError is a frame that breaks the rules; Code is what the other end is told.
type FrameError struct {
	Code CloseCode
	Text string
}

func (e *FrameError) Error() string { return e.Text }

// AppendFrame adds a frame to dst. The payload must fit: MaxFrame bytes with the type.
func AppendFrame(dst []byte, k Kind, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(1+len(payload)))
	dst = append(dst, byte(k))
	return append(dst, payload...)
}

// ReadHeader is the type of the frame that begins so, and how many bytes of payload follow. The error is a *FrameError.
func ReadHeader(b [HeaderBytes]byte) (k Kind, payload int, err error) {
	n := binary.BigEndian.Uint32(b[:4])
	if n == 0 || n > MaxFrame {
		return 0, 0, &FrameError{CloseBadFrame, fmt.Sprintf("a frame of %d bytes; allowed are 1 to %d", n, MaxFrame)}
	}
	if k = Kind(b[4]); !k.Known() && !k.Skipped() {
		return 0, 0, &FrameError{CloseUnknownType, fmt.Sprintf("a frame of type %d is none that this version knows", k)}
	}
	return k, int(n) - 1, nil
}

// ReadFrame reads one frame whose payload has at most limit bytes. The error is io.EOF where the stream ended between
// two frames, io.ErrUnexpectedEOF where it ended within one, and a *FrameError for a frame that breaks the rules.
func ReadFrame(r io.Reader, limit int) (Kind, []byte, error) {
	var header [HeaderBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	k, n, err := ReadHeader(header)
	if err != nil {
		return 0, nil, err
	}
	if n > limit {
		return 0, nil, &FrameError{CloseBadFrame, fmt.Sprintf("a frame of type %d with %d bytes; allowed here are %d", k, n,
			limit)}
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return k, payload, nil
}
