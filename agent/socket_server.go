package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"statewire/agent/cache"
	"statewire/smx"
)

const (
	socketReadTimeout  = 10 * time.Second // a request, from its first byte to its last
	socketHeadTimeout  = 2 * time.Second  // a caller on this machine that says nothing for so long holds a place of others
	socketWriteTimeout = toolTimeout + 3*time.Minute
	socketStopTimeout  = 5 * time.Second
	socketHeaderBytes  = 8 << 10
)

// operated is the agent as its local commands see it.
type operated interface {
	Raise(states ...cache.State) error
	SendNow()
	Resend() error
	AcceptSerial(next uint64) error
	Status() (Status, error)
	Messages(topicTypes ...uint32) (Messages, error)
	Sent() ([]cache.Sent, error)
	AsReport() ([]byte, error)
	Trace(serial uint64) (cache.Sent, bool, error)
}

// scanner looks for changes of the machine when somebody asks.
type scanner interface {
	Scan(ctx context.Context) (ScanResult, error)
}

// About is what a machine's agent says of itself beside its status.
type About struct {
	Host    string
	Version string
	Relay   string // the configured one
	Fixed   bool   // the configuration names the client's id
}

// Socket answers the commands and programs of this machine: JSON over HTTP on a socket that only the agent's user can open. What it
// has answered to a request to record is on disk.
type Socket struct {
	agent   operated
	scanner scanner
	about   About
	started time.Time
	log     *slog.Logger
	renew   chan struct{} // closed once somebody asked for a new client id

	renewing sync.Once
}

// NewSocket returns the socket's side of an agent. Nothing listens until Serve.
func NewSocket(a *Agent, scanner *Packages, about About, log *slog.Logger) *Socket {
	return &Socket{agent: a, scanner: scanner, about: about, started: time.Now(), log: log, renew: make(chan struct{})}
}

// Serve answers until ctx ends, then lets what is in hand finish.
func (s *Socket) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: socketHeadTimeout, ReadTimeout: socketReadTimeout, WriteTimeout: socketWriteTimeout,
		IdleTimeout: socketHeadTimeout, MaxHeaderBytes: socketHeaderBytes, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), socketStopTimeout)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close()
		}
		stopped <- nil
	})
	err := server.Serve(netutil.LimitListener(ln, maxSocketCallers))
	if stop() { // it ended by itself
		return fmt.Errorf("answer the agent's commands: %w", err)
	}
	return <-stopped
}

func (s *Socket) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/states", s.raise)
	mux.HandleFunc("POST /v1/send", s.send)
	mux.HandleFunc("POST /v1/resend", s.resend)
	mux.HandleFunc("POST /v1/scan", s.scan)
	mux.HandleFunc("POST /v1/accept-serial", s.acceptSerial)
	mux.HandleFunc("POST /v1/new-id", s.newID)
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/messages", s.messages)
	mux.HandleFunc("GET /v1/messages/{serial}", s.trace)
	mux.HandleFunc("GET /v1/report", s.report)
	return mux
}

func (s *Socket) raise(w http.ResponseWriter, r *http.Request) {
	var request RaiseRequest
	if !s.read(w, r, &request) {
		return
	}
	if n := len(request.States); n == 0 || n > maxSocketStates {
		refuse(w, http.StatusBadRequest, fmt.Errorf("the request has %d states; allowed are 1 to %d", n, maxSocketStates))
		return
	}
	now, states := time.Now(), make([]cache.State, len(request.States))
	for i := range states {
		states[i] = request.States[i].state(now)
		if err := checkRaised(&states[i]); err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
	}
	old, err := s.receipts() // an instant state may be sent before anybody looks
	if err == nil {
		err = s.agent.Raise(states...)
	}
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	answer := Raised{Recorded: len(states)}
	if request.Now {
		flushed, err := s.flush(r.Context(), old)
		if err != nil {
			flushed.Problem = err.Error()
		}
		answer.Sent = &flushed
	}
	say(w, answer)
}

// checkRaised refuses what a report cannot carry, before anything of the request is kept.
func checkRaised(s *cache.State) error {
	if s.Priority < smx.NoPriority || s.Priority > maxPriority {
		return fmt.Errorf("priority is %d; allowed are 0 to %d", s.Priority, maxPriority)
	}
	clean := s.Canonical()
	return clean.Check()
}

func (s *Socket) send(w http.ResponseWriter, r *http.Request) {
	s.sendWhatWaits(w, r, func() error { return nil })
}

func (s *Socket) resend(w http.ResponseWriter, r *http.Request) {
	s.sendWhatWaits(w, r, s.agent.Resend)
}

// sendWhatWaits answers with what came of sending, after a preparation.
func (s *Socket) sendWhatWaits(w http.ResponseWriter, r *http.Request, prepare func() error) {
	old, err := s.receipts()
	if err == nil {
		err = prepare()
	}
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	s.sayFlushed(w, r, old)
}

func (s *Socket) sayFlushed(w http.ResponseWriter, r *http.Request, old map[string]bool) {
	flushed, err := s.flush(r.Context(), old)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, flushed)
}

func (s *Socket) scan(w http.ResponseWriter, r *http.Request) {
	result, err := s.scanner.Scan(r.Context())
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, result)
}

func (s *Socket) messages(w http.ResponseWriter, _ *http.Request) {
	all, err := s.agent.Messages()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, newMessageList(all))
}

func (s *Socket) trace(w http.ResponseWriter, r *http.Request) {
	serial, err := strconv.ParseUint(r.PathValue("serial"), 10, 64)
	if err != nil || serial == 0 {
		refuse(w, http.StatusBadRequest, errors.New("a serial is a whole number from 1 on"))
		return
	}
	sent, found, err := s.agent.Trace(serial)
	switch {
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err)
	case !found:
		refuse(w, http.StatusNotFound, fmt.Errorf("serial %d is not among what this agent sent lately", serial))
	default:
		say(w, newSentState(&sent))
	}
}

func (s *Socket) report(w http.ResponseWriter, _ *http.Request) {
	text, err := s.agent.AsReport()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(text)
}

func (s *Socket) status(w http.ResponseWriter, _ *http.Request) {
	status, err := s.agent.Status()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	report := StatusReport{
		Client: status.Client.String(), Host: s.about.Host, Version: s.about.Version, Process: os.Getpid(), Started: s.started.UTC(),
		Relay: s.about.Relay, Assigned: status.AssignedRelay, InUse: status.RelayInUse, Notifier: status.Notifier,
		Attempts: status.Attempts, Connected: status.Connected, Problem: status.Problem, LastContact: status.LastContact.UTC(),
		LastSend: status.LastSend.UTC(), LastSerial: status.LastSerial, Held: status.Held, Unsent: status.Unsent,
		OldestUnsent: status.OldestUnsent.Seconds(), Resyncing: status.Answering, DeadLetters: status.DeadLetters,
		NextContact: status.NextContact.UTC(), StartupJitter: status.StartupJitter.Seconds(),
		SendInterval: status.SendInterval.Seconds(), PolicyInterval: status.PolicyInterval.Seconds(), LastPolicy: status.LastPolicy.UTC(),
		PolicyChanged: status.PolicyChanged.UTC(), Paused: status.PausedTopics, Slowed: status.SlowedTopics,
		UsedUp: status.UsedUp, DeclinedSerial: status.Declined.NextSerial, DeclinedTime: status.Declined.Time.UTC(),
		ResyncNumber: status.ResyncNumber, ResyncIssued: status.ResyncIssued.UTC(),
	}
	all, err := s.agent.Messages(scanTopics...)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	for _, dead := range all.Dead {
		report.LastRefused = dead.End.Time.UTC()
	}
	report.Scan = all.scan()
	say(w, report)
}

// read decodes a request's body, or refuses it.
func (s *Socket) read(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, errors.New("the body's type is not application/json"))
			return false
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSocketBody))
	if err == nil {
		err = decodeRequest(text, into)
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes", large.Limit))
	case err != nil:
		refuse(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
	}
	return err == nil
}

// problem is the answer to a request that was not carried out.
type problem struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{err.Error()})
}

func say(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // whoever hung up asks again
}
