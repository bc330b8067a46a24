package notifier

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/notifier/wire"
)

// Headers and the media type of the HTTP side.
const (
	SessionHeader = "Statewire-Session" // the client's session, in every request but a sign-in
	AckHeader     = "Statewire-Ack"     // the greatest number of a pushed task that the client has
	mediaType     = "application/vnd.statewire.channel"

	maxBody    = 4 * wire.MaxFrame
	bodyWithin = 10 * time.Second
)

// ServeChannel answers a request of a client that comes by HTTP: body and answer are frames. A request with nothing to
// say is held until there is something, at most notifier.http_hold. It sets deadlines of its own.
func (s *Server) ServeChannel(w http.ResponseWriter, req *http.Request, caller identity.Caller) {
	cfg := s.cfg.Load()
	defer s.http.Add(-1)
	if s.http.Add(1) > int64(cfg.MaxHTTP) {
		s.limit(limitHTTP, cfg.MaxHTTP)
		after := backoff.Jitter(30*time.Second, 30*time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
		problem(w, http.StatusServiceUnavailable, "channel_full", "the notifier holds as many requests as it may")
		return
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(bodyWithin)) // what cannot set deadlines has none
	control.SetWriteDeadline(time.Now().Add(bodyWithin + cfg.HTTPHold + writeWithin))
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		problem(w, http.StatusBadRequest, "bad_request", "the body could not be read: "+err.Error())
		return
	}
	control.SetReadDeadline(time.Time{})
	session, err := s.takeBody(req, caller, body)
	if err != nil {
		reason, last := parting(err)
		if session != nil {
			s.hub.lost(session, reason, nil)
		}
		answer(w, last)
		return
	}
	s.hold(w, req, session.link.(*mailbox), cfg.HTTPHold)
}

// problem is a refusal as the relay writes its own.
func problem(w http.ResponseWriter, status int, code, detail string) {
	text, _ := json.Marshal(map[string]any{"status": status, "code": code, "detail": detail}) // texts and a number
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(text)
}

// takeBody acts on the frames of a request. The error says how the session ends, or that there is none.
func (s *Server) takeBody(req *http.Request, caller identity.Caller, body []byte) (session *session, err error) {
	if err := s.deps.Callers.Refusal(caller); err != nil {
		return nil, &closing{wire.CloseMessage{Code: wire.CloseRevoked, Text: err.Error()}}
	}
	if signsIn(body) {
		return s.signInByHTTP(req, caller, body)
	}
	if session, err = s.known(req, caller); err != nil {
		return nil, err
	}
	had, _ := strconv.ParseUint(req.Header.Get(AckHeader), 10, 64) // without one it has none
	session.link.(*mailbox).has(had)
	return session, frames(body, func(kind wire.Kind, payload []byte) error {
		if err := s.counts(session); err != nil {
			return err
		}
		return s.take(session, kind, payload)
	})
}

// signsIn says whether the first frame that counts is a sign-in.
func signsIn(body []byte) (is bool) {
	errSeen := errors.New("seen")
	_ = frames(body, func(kind wire.Kind, _ []byte) error {
		if kind.Skipped() {
			return nil
		}
		is = kind == wire.SignIn
		return errSeen
	})
	return is
}

// frames gives every frame of a body to each.
func frames(body []byte, each func(wire.Kind, []byte) error) error {
	r := bytes.NewReader(body)
	for {
		kind, payload, err := wire.ReadFrame(r, wire.MaxFrame)
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return &wire.FrameError{Code: wire.CloseBadFrame, Text: "the body ends within a frame"}
		case err != nil:
			return err
		}
		if err := each(kind, payload); err != nil {
			return err
		}
	}
}

// signInByHTTP makes a session of a request.
func (s *Server) signInByHTTP(req *http.Request, caller identity.Caller, body []byte) (session *session, err error) {
	err = frames(body, func(kind wire.Kind, payload []byte) (err error) {
		switch {
		case session != nil:
			if err := s.counts(session); err != nil {
				return err
			}
			return s.take(session, kind, payload)
		case kind.Skipped():
			return nil
		}
		box := newMailbox(s)
		session, err = s.signIn(caller, kind, payload, wire.HTTP, box, req.RemoteAddr)
		if session == nil && err == nil { // the built-in client
			return &answered{join(box.out.parts)}
		}
		return err
	})
	return session, err
}

// answered is what a request that has no session is answered.
type answered struct{ frames []byte }

func (*answered) Error() string { return "answered" }

// known is the session that a request names, if it is the client's and by HTTP.
func (s *Server) known(req *http.Request, caller identity.Caller) (*session, error) {
	number, err := strconv.ParseUint(req.Header.Get(SessionHeader), 10, 64)
	session, now := s.hub.session(caller.Client)
	if err == nil && caller.IsClient() && session != nil && session.channel == wire.HTTP && number >= session.first &&
		number <= now {
		session.hear(s.steady.now())
		return session, nil
	}
	return nil, &closing{wire.CloseMessage{Code: wire.CloseStopping,
		Text: "the server does not know this session any more: " +
			"it was started anew, or heard nothing of it for too long"}}
}

// hold answers a request once there is something to say.
func (s *Server) hold(w http.ResponseWriter, req *http.Request, box *mailbox, hold time.Duration) {
	t := box.enter()
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-t.mail:
	case <-t.over:
	case <-timer.C:
	case <-req.Context().Done():
	case <-s.stopping:
		select { // the good-bye
		case <-t.mail:
		case <-time.After(time.Second):
		}
	}
	out := box.leave(t, s.signed(), http.NewResponseController(w))
	switch {
	case req.Context().Err() == nil && answer(w, join(out)) == nil:
		box.said(out)
	case len(out) > 0:
		box.putBack(out)
	}
}

// join is all the frames of an answer.
func join(parts []part) (frames []byte) {
	for _, p := range parts {
		if p.push != nil {
			frames = append(frames, p.push.frame()...)
		} else {
			frames = append(frames, p.frames...)
		}
	}
	return frames
}

// answer writes frames; without one it says that there are none.
func answer(w http.ResponseWriter, frames []byte) error {
	h := w.Header()
	if len(frames) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(frames)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(frames)
	if flush := http.NewResponseController(w).Flush(); !errors.Is(flush, http.ErrNotSupported) {
		err = errors.Join(err, flush)
	}
	return err
}
