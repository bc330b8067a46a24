package wire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Channel is the way that a client is connected by.
type Channel uint8

// The channels, numbered as queries know them.
const (
	TCP  Channel = 0
	HTTP Channel = 1
)

// String is the channel as people read it.
func (c Channel) String() string {
	if c == HTTP {
		return "HTTP"
	}
	return "TCP"
}

// Why a client signs in.
const (
	ReasonStart      = "start"
	ReasonReconnect  = "reconnect"
	ReasonReassigned = "reassigned"
	ReasonFallback   = "fallback" // to HTTP
	ReasonReturn     = "return"   // to TCP
)

// Bounds of what a client says of itself.
const (
	MaxHeld     = 500  // results that it tells of
	MaxWhyBytes = 1024 // of the reason that it gives
	maxText     = 128  // of every other text
)

// SignInMessage is how a client presents itself. Who it is decides its certificate.
type SignInMessage struct {
	Time        time.Time // by the client's clock
	Client      uuid.UUID
	Version     string // of the client's program
	Session     uint64 // counts the client's sign-ins
	Boot        string // tells one run of a client from another, so that two machines with one identity are noticed
	Channel     Channel
	Reason      string
	Why         string // what kept it from TCP, in words
	PacksDigest string
	Held        []Held
}

// Held is the result of a task that nobody has confirmed to the client.
type Held struct {
	Task uuid.UUID
	Step string
}

// Encode writes the message.
func (m SignInMessage) Encode() []byte {
	w := newWriter("BgbSignInMessage")
	w.attr("Version", "1")
	w.time("TimeStamp", m.Time)
	w.attr("ClientID", clientText(m.Client))
	w.attr("ClientVersion", Cut(m.Version, maxText))
	w.number("Session", m.Session)
	w.attr("Boot", Cut(m.Boot, maxText))
	w.number("Channel", uint64(m.Channel))
	w.attr("Reason", Cut(m.Reason, maxText))
	w.given("Why", Cut(m.Why, MaxWhyBytes))
	w.given("PacksDigest", Cut(m.PacksDigest, maxText))
	for _, h := range m.Held[:min(len(m.Held), MaxHeld)] {
		w.open("Held")
		w.attr("TaskGUID", h.Task.String())
		w.attr("Step", Cut(h.Step, maxText))
		w.empty()
	}
	return w.end("BgbSignInMessage")
}

// DecodeSignIn reads the message.
func DecodeSignIn(data []byte) (m SignInMessage, err error) {
	r, err := newReader(data, "BgbSignInMessage")
	if err != nil {
		return m, err
	}
	root := r.root
	root.version("Version")
	m.Time = root.time("TimeStamp")
	m.Client = root.client("ClientID")
	m.Version = root.text("ClientVersion", maxText)
	m.Session = root.number("Session", 1<<62)
	m.Boot = root.text("Boot", maxText)
	m.Channel = Channel(root.number("Channel", uint64(HTTP)))
	m.Reason = root.text("Reason", maxText)
	m.Why = root.text("Why", MaxWhyBytes)
	m.PacksDigest = root.text("PacksDigest", maxText)
	err = r.each("Held", func(e *element) error {
		if len(m.Held) == MaxHeld {
			return fmt.Errorf("more than %d results are held", MaxHeld)
		}
		task, err := uuid.Parse(e.text("TaskGUID", maxText))
		if err != nil {
			return fmt.Errorf("TaskGUID of a held result: %w", err)
		}
		m.Held = append(m.Held, Held{task, e.text("Step", maxText)})
		return e.err
	})
	return m, wrap("sign-in", root, err)
}

// SignInConfirmMessage tells a client that it is online.
type SignInConfirmMessage struct {
	Time       time.Time // by the server's clock; unsigned
	ServerID   uint32
	Epoch      uint64        // counts the server's starts
	KeepAlive  time.Duration // whole seconds: how often the client says that it is there
	Session    uint64        // the client's from now on
	SignedTime string        // empty until tasks need it
}

// Encode writes the message.
func (m SignInConfirmMessage) Encode() []byte {
	w := newWriter("BgbSignInConfirmMessage")
	w.attr("MessageVersion", "1")
	w.time("Timestamp", m.Time)
	w.number("ServerID", uint64(m.ServerID))
	w.number("Epoch", m.Epoch)
	w.number("KeepAlive", uint64(max(1, m.KeepAlive/time.Second)))
	w.number("Session", m.Session)
	w.attr("SignedTime", m.SignedTime)
	return w.end("BgbSignInConfirmMessage")
}

// maxKeepAlive bounds what a server may ask for, in seconds: a week.
const maxKeepAlive = 7 * 24 * 60 * 60

// DecodeSignInConfirm reads the message.
func DecodeSignInConfirm(data []byte) (m SignInConfirmMessage, err error) {
	r, err := newReader(data, "BgbSignInConfirmMessage")
	if err != nil {
		return m, err
	}
	root := r.root
	root.version("MessageVersion")
	m.Time = root.time("Timestamp")
	m.ServerID = uint32(root.number("ServerID", 1<<32-1))
	m.Epoch = root.number("Epoch", 1<<62)
	seconds := root.number("KeepAlive", maxKeepAlive)
	if seconds == 0 && root.err == nil {
		root.err = fmt.Errorf("KeepAlive is 0; allowed are 1 to %d seconds", maxKeepAlive)
	}
	m.KeepAlive = time.Duration(seconds) * time.Second
	m.Session = root.number("Session", 1<<62)
	m.SignedTime = root.text("SignedTime", 4096)
	return m, wrap("sign-in confirmation", root, r.each("", nil))
}

// CloseCode says why a connection ends.
type CloseCode uint8

// The codes of Close.
const (
	CloseBadFrame    CloseCode = 1
	CloseUnknownType CloseCode = 2
	CloseLimit       CloseCode = 3 // try later
	CloseRevoked     CloseCode = 4 // the certificate was revoked, or is out of its time
	CloseReplaced    CloseCode = 5 // the client signed in anew
	CloseDuplicate   CloseCode = 6 // several machines have one identity
	CloseStopping    CloseCode = 7
	CloseWrongServer CloseCode = 8 // the text is the address of the right one
	CloseNotYours    CloseCode = 9 // the certificate is another client's
)

// CloseMessage is why a connection ends.
type CloseMessage struct {
	Code       CloseCode
	Text       string
	RetryAfter time.Duration // whole seconds; 0 leaves it to the other end
}

// Encode writes the message: the code, the seconds, the text.
func (m CloseMessage) Encode() []byte {
	out := []byte{byte(m.Code)}
	out = binary.BigEndian.AppendUint32(out, uint32(min(m.RetryAfter, maxRetry)/time.Second))
	return append(out, Cut(m.Text, MaxWhyBytes)...)
}

// maxRetry bounds how long the other end may ask to be left alone.
const maxRetry = 24 * time.Hour

// DecodeClose reads the message. Codes that this version does not know are passed on.
func DecodeClose(data []byte) (CloseMessage, error) {
	if len(data) < 5 || len(data) > 5+MaxWhyBytes || !utf8.Valid(data[5:]) {
		return CloseMessage{}, &FrameError{CloseBadFrame, "a close frame that cannot be read"}
	}
	after := time.Duration(binary.BigEndian.Uint32(data[1:])) * time.Second
	return CloseMessage{CloseCode(data[0]), string(data[5:]), min(after, maxRetry)}, nil
}

// clientText is a client's id as documents write it.
func clientText(id uuid.UUID) string { return "GUID:" + strings.ToUpper(id.String()) }

// Cut is at most n bytes of a text, and whole characters.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func timeText(t time.Time) string { return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }

func numberText(n uint64) string { return strconv.FormatUint(n, 10) }
