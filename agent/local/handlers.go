package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/smx"
)

func (s *Server) raise(w http.ResponseWriter, r *http.Request) {
	var request RaiseRequest
	if !s.read(w, r, &request) {
		return
	}
	if n := len(request.States); n == 0 || n > maxStates {
		refuse(w, http.StatusBadRequest, fmt.Errorf("the request has %d states; allowed are 1 to %d", n, maxStates))
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

func (s *Server) send(w http.ResponseWriter, r *http.Request) {
	s.sendWhatWaits(w, r, func() error { return nil })
}

func (s *Server) resend(w http.ResponseWriter, r *http.Request) {
	s.sendWhatWaits(w, r, s.agent.Resend)
}

// sendWhatWaits answers with what came of sending, after a preparation.
func (s *Server) sendWhatWaits(w http.ResponseWriter, r *http.Request, prepare func() error) {
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

func (s *Server) sayFlushed(w http.ResponseWriter, r *http.Request, old map[string]bool) {
	flushed, err := s.flush(r.Context(), old)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, flushed)
}

func (s *Server) scan(w http.ResponseWriter, r *http.Request) {
	result, err := s.scanner.Scan(r.Context())
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, result)
}

func (s *Server) messages(w http.ResponseWriter, _ *http.Request) {
	all, err := s.agent.Messages()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	say(w, newMessageList(all))
}

func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
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

func (s *Server) report(w http.ResponseWriter, _ *http.Request) {
	text, err := s.agent.AsReport()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(text)
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	status, err := s.agent.Status()
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	report := StatusReport{
		Client: status.Client.String(), Host: s.about.Host, Version: s.about.Version, Process: os.Getpid(),
		Started: s.started.UTC(), Relay: s.about.Relay, Assigned: status.AssignedRelay, InUse: status.RelayInUse,
		Notifier: status.Notifier, Attempts: status.Attempts, Connected: status.Connected, Problem: status.Problem,
		LastContact: status.LastContact.UTC(), LastSend: status.LastSend.UTC(), LastSerial: status.LastSerial,
		Held: status.Held, Unsent: status.Unsent, OldestUnsent: status.OldestUnsent.Seconds(),
		Resyncing: status.Answering, DeadLetters: status.DeadLetters, NextContact: status.NextContact.UTC(),
		StartupJitter: status.StartupJitter.Seconds(), SendInterval: status.SendInterval.Seconds(),
		PolicyInterval: status.PolicyInterval.Seconds(), LastPolicy: status.LastPolicy.UTC(),
		PolicyChanged: status.PolicyChanged.UTC(), Paused: status.PausedTopics, Slowed: status.SlowedTopics,
		UsedUp: status.UsedUp, DeclinedSerial: status.Declined.NextSerial, DeclinedTime: status.Declined.Time.UTC(),
		ResyncNumber: status.ResyncNumber, ResyncIssued: status.ResyncIssued.UTC(),
	}
	all, err := s.agent.Messages(agent.ScanTopics()...)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	for _, dead := range all.Dead {
		report.LastRefused = dead.End.Time.UTC()
	}
	report.Scan, report.Identity = s.scanner.State(all), NewIdentityReport(s.own.Status())
	report.Channel = newChannelReport(s.channel.Status())
	if s.tasks != nil {
		report.TasksHeld, report.TasksRunning = s.tasks.Counts()
	}
	say(w, report)
}

// read decodes a request's body, or refuses it.
func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) bool {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, errors.New("the body's type is not application/json"))
			return false
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
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
