package resync

import (
	"fmt"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

// What goes over the control socket: calls as JSON documents, answers as JSON lines.

// line is one line of an answer: how far the work is, a row of the result, the result, or why there is none.
type line[Out any] struct {
	Progress *progress     `json:"progress,omitempty"`
	Gap      *gaps.Gap     `json:"gap,omitempty"`
	Done     bool          `json:"done,omitempty"` // the last line of what went well
	Result   *Out          `json:"result,omitempty"`
	Problem  *problemOnWay `json:"error,omitempty"`
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// problemOnWay is an error with what callers branch on.
type problemOnWay struct {
	Text         string `json:"text"`
	Invalid      bool   `json:"invalid,omitempty"`
	NoCollection bool   `json:"no_collection,omitempty"`
}

// sentError is an error of the service as it arrives: its text, and what it wraps.
type sentError struct {
	text string
	is   error
}

func (e *sentError) Error() string { return e.text }
func (e *sentError) Unwrap() error { return e.is }

func (p *problemOnWay) err() error {
	switch {
	case p.Invalid:
		return &InvalidError{p.Text}
	case p.NoCollection:
		return &sentError{p.Text, ErrNoCollection}
	}
	return &sentError{p.Text, nil}
}

type pollCall struct {
	Client     string `json:"client_id"`
	LastSerial uint64 `json:"last_serial"`
	States     uint32 `json:"states"`
	Digest     uint64 `json:"digest"`
	Unsent     uint32 `json:"unsent"`
}

type checkCall struct {
	At     time.Time `json:"at,omitzero"`
	DryRun bool      `json:"dry_run"`
	Full   bool      `json:"full"`
	Rows   int       `json:"rows"`
}

type targetCall struct {
	Clients    []string `json:"clients,omitempty"`
	Collection string   `json:"collection,omitempty"`
	All        bool     `json:"all,omitempty"`
	By         string   `json:"by"`
	DryRun     bool     `json:"dry_run"`
	Rows       int      `json:"rows"`
	Claim      bool     `json:"claim,omitempty"`
}

func (c targetCall) target() (Target, error) {
	clients, err := parseClients(c.Clients)
	return Target{Clients: clients, Collection: c.Collection, All: c.All}, err
}

type listCall struct {
	Client string        `json:"client_id,omitempty"`
	Within time.Duration `json:"within_ns"`
	Open   bool          `json:"open"`
	Limit  int           `json:"limit"`
}

type collectionCall struct {
	Name    string   `json:"name"`
	Clients []string `json:"clients,omitempty"`
	Query   string   `json:"query,omitempty"`
	Replace bool     `json:"replace,omitempty"`
}

type membersAnswer struct {
	Collection Collection `json:"collection"`
	Clients    []string   `json:"clients"`
}

type policyCall struct {
	Collection string         `json:"collection"`
	Settings   PolicySettings `json:"settings"`
}

func clientNames(clients []smx.ClientID) []string {
	names := make([]string, len(clients))
	for i, client := range clients {
		names[i] = client.UUID()
	}
	return names
}

func parseClients(names []string) ([]smx.ClientID, error) {
	clients := make([]smx.ClientID, len(names))
	for i, name := range names {
		client, err := smx.ParseUUID(name)
		if err != nil {
			return nil, invalid("client %d of %d: %v", i+1, len(names), err)
		}
		clients[i] = client
	}
	return clients, nil
}

// unexpected is an answer that no version of this program gives.
func unexpected(path string, status int) error {
	return fmt.Errorf("ask the running site for %s: it answered %d; is it another version of statewire?", path, status)
}
