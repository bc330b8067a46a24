package local

import (
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/credentials"
	"statewire/smx"
)

const (
	// maxBody bounds what a local program may say at once: one state with the longest details, however they are
	// escaped.
	maxBody = 8 << 20
	// maxStates bounds the states in it.
	maxStates = 1000
	// maxCallers bounds the connections at one time; more wait.
	maxCallers = 16
	// maxPriority is the least urgent priority.
	maxPriority = 10
)

// RaiseRequest asks the agent to record states, all or none.
type RaiseRequest struct {
	States []RaisedState `json:"states"`
	Now    bool          `json:"now,omitempty"` // send at once, and answer with what came of it
}

// RaisedState is a state as a local program tells it.
type RaisedState struct {
	TopicType   uint32    `json:"topic_type"`
	TopicID     string    `json:"topic_id"`
	TopicIDType uint16    `json:"topic_id_type,omitempty"`
	Title       string    `json:"title,omitempty"` // what people call the topic id
	StateID     uint32    `json:"state_id"`
	Criticality uint32    `json:"criticality,omitempty"`
	Params      []string  `json:"params,omitempty"`
	Details     string    `json:"details,omitempty"`
	DetailsType int32     `json:"details_type,omitempty"`
	User        string    `json:"user,omitempty"`
	UserSID     string    `json:"user_sid,omitempty"`
	Time        time.Time `json:"time,omitzero"`      // of the change; left out: now
	Priority    *int8     `json:"priority,omitempty"` // 0 to 10, less is more urgent; left out: none
	Instant     bool      `json:"instant,omitempty"`  // without a serial, forgotten once sent
}

func (r RaisedState) state(now time.Time) cache.State {
	s := cache.State{Priority: smx.NoPriority, Instant: r.Instant, Message: smx.Message{
		Time: r.Time, TopicType: r.TopicType, TopicID: r.TopicID, TopicIDType: r.TopicIDType, Title: r.Title,
		StateID: r.StateID, Criticality: r.Criticality, Params: r.Params, Details: r.Details,
		DetailsType: r.DetailsType, User: r.User, UserSID: r.UserSID,
	}}
	if s.Time.IsZero() {
		s.Time = now
	}
	if r.Priority != nil {
		s.Priority = *r.Priority
	}
	return s
}

// Flushed is what came of sending at once.
type Flushed struct {
	Done       bool   `json:"done"`   // the relay has everything
	Unsent     int    `json:"unsent"` // states it does not have yet
	LastSerial uint64 `json:"last_serial"`
	Receipt    string `json:"receipt,omitempty"` // of the last report of these that it took
	Problem    string `json:"problem,omitempty"` // why not everything was sent
}

// Raised is the answer to a RaiseRequest.
type Raised struct {
	Recorded int      `json:"recorded"`
	Sent     *Flushed `json:"sent,omitempty"` // when it was to be sent at once
}

// StatusReport is how the agent of a machine is doing.
type StatusReport struct {
	Client   string    `json:"client"`
	Host     string    `json:"host"`
	Version  string    `json:"version"`
	Process  int       `json:"process"`
	Started  time.Time `json:"started"`
	Relay    string    `json:"relay"`          // the configured one
	Assigned string    `json:"assigned_relay"` // by the site's policy; empty = none
	InUse    string    `json:"relay_in_use"`   // configured, assigned, or fallback
	Notifier string    `json:"assigned_notifier"`

	Attempts    uint64    `json:"attempts"` // to reach a relay, since it started
	Connected   bool      `json:"connected"`
	Problem     string    `json:"problem"`
	LastContact time.Time `json:"last_contact,omitzero"`
	NextContact time.Time `json:"next_contact,omitzero"` // when it next asks the relay by itself; none = it is doing so

	StartupJitter float64 `json:"startup_jitter_seconds"` // what bounds the wait before its first contact

	LastSend     time.Time `json:"last_send,omitzero"`
	LastSerial   uint64    `json:"last_serial"`
	Held         int       `json:"held"`
	Unsent       int       `json:"unsent"`
	OldestUnsent float64   `json:"oldest_unsent_seconds"`
	Resyncing    bool      `json:"resyncing"`
	DeadLetters  int       `json:"dead_letters"`
	LastRefused  time.Time `json:"last_refused,omitzero"`
	UsedUp       bool      `json:"serials_used_up"` // no state can be sent any more: it needs a new client id

	// DeclinedSerial is one that a policy named to continue from, and the agent did not take.
	DeclinedSerial uint64    `json:"declined_serial,omitempty"`
	DeclinedTime   time.Time `json:"declined_time,omitzero"`

	SendInterval   float64   `json:"send_interval_seconds"`
	PolicyInterval float64   `json:"policy_interval_seconds"`
	LastPolicy     time.Time `json:"last_policy,omitzero"`
	PolicyChanged  time.Time `json:"policy_changed,omitzero"`
	Paused         []uint32  `json:"paused_topics,omitempty"`
	Slowed         []uint32  `json:"slowed_topics,omitempty"`
	ResyncNumber   uint32    `json:"resync_number"`
	ResyncIssued   time.Time `json:"resync_issued,omitzero"`

	Identity IdentityReport `json:"identity"`
	Channel  ChannelReport  `json:"channel"`

	TasksHeld    int `json:"tasks_held"`    // that have not ended, or whose end the site has not confirmed
	TasksRunning int `json:"tasks_running"` // of them

	Scan *agent.ScanState `json:"scan,omitempty"` // the last scan for package updates; nil = none yet
}

// IdentityReport is how the client's certificate stands.
type IdentityReport struct {
	Client      string    `json:"client"`
	Enrolled    bool      `json:"enrolled"`
	Site        string    `json:"site,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	Certificate string    `json:"certificate,omitempty"` // its number
	ValidUntil  time.Time `json:"valid_until,omitzero"`
	Expired     bool      `json:"expired,omitempty"`
	RenewAt     time.Time `json:"renew_at,omitzero"`
	NextSerial  uint64    `json:"next_serial,omitempty"` // that the enrolment's answer named
	Trust       uint64    `json:"trust_version,omitempty"`

	Pending  string `json:"pending,omitempty"`  // id under which a person has to approve the enrolment
	Ended    string `json:"ended,omitempty"`    // code with which the site ended the certificate
	Problem  string `json:"problem,omitempty"`  // why the last attempt to get a certificate came to nothing
	Distrust string `json:"distrust,omitempty"` // why what a policy told of whom to believe was not taken
	OtherID  string `json:"other_id,omitempty"` // the client that the certificate is of, when it is not this one
}

// NewIdentityReport says how a client's credentials stand.
func NewIdentityReport(s credentials.Status) IdentityReport {
	return IdentityReport{Client: s.Client.String(), Enrolled: s.Enrolled, Site: s.Site, Since: s.Since.UTC(),
		Certificate: s.Number, ValidUntil: s.NotAfter.UTC(), Expired: s.Expired, RenewAt: s.RenewAt.UTC(),
		NextSerial: s.NextSerial, Trust: s.Trust, Pending: s.Pending, Ended: s.Ended, Problem: s.Problem,
		Distrust: s.Distrust, OtherID: s.OtherID}
}

// HeldState is one state that the agent holds.
type HeldState struct {
	RaisedState
	Serial uint64    `json:"serial"` // 0 = none yet
	Raised time.Time `json:"raised"`
	Place  string    `json:"place"` // waiting, under way, or sent
}

// SentState is one message that the agent sent, or is sending.
type SentState struct {
	Serial    uint64    `json:"serial"`
	TopicType uint32    `json:"topic_type"`
	TopicID   string    `json:"topic_id"`
	StateID   uint32    `json:"state_id"`
	Time      time.Time `json:"time"`
	Raised    time.Time `json:"raised"`
	Packed    time.Time `json:"packed"` // put into a report, under this serial
	Sent      time.Time `json:"sent,omitzero"`
	Outcome   string    `json:"outcome"` // accepted, refused, or under way
	Receipt   string    `json:"receipt,omitempty"`
	File      string    `json:"file,omitempty"`
	Code      string    `json:"code,omitempty"`
}

// RefusedState is one state that no relay takes.
type RefusedState struct {
	HeldState
	Refused time.Time `json:"refused"`
	Code    string    `json:"code"`
	Detail  string    `json:"detail"`
}

// MessageList is what the agent holds and sent.
type MessageList struct {
	Held    []HeldState    `json:"held"`
	Sent    []SentState    `json:"sent"`
	Refused []RefusedState `json:"refused"`
}

func newHeldState(s *cache.State, place string) HeldState {
	h := HeldState{Serial: s.Serial, Raised: s.Raised, Place: place, RaisedState: RaisedState{
		TopicType: s.TopicType, TopicID: s.TopicID, TopicIDType: s.TopicIDType, Title: s.Title, StateID: s.StateID,
		Criticality: s.Criticality, Params: s.Params, Details: s.Details, DetailsType: s.DetailsType, User: s.User,
		UserSID: s.UserSID, Time: s.Time, Instant: s.Instant,
	}}
	if s.Priority != smx.NoPriority {
		h.Priority = &s.Priority
	}
	return h
}

func newSentState(s *cache.Sent) SentState {
	outcome := "under way"
	switch s.Outcome {
	case cache.Accepted:
		outcome = "accepted"
	case cache.Refused:
		outcome = "refused"
	}
	return SentState{Serial: s.Serial, TopicType: s.TopicType, TopicID: s.TopicID, StateID: s.StateID, Time: s.Time,
		Raised: s.Raised, Packed: s.Packed, Sent: s.Sent, Outcome: outcome, Receipt: s.Receipt, File: s.File, Code: s.Code}
}

func newMessageList(m agent.Messages) MessageList {
	list := MessageList{Held: make([]HeldState, len(m.Held)), Sent: make([]SentState, len(m.Sent)),
		Refused: make([]RefusedState, len(m.Dead))}
	for i := range m.Held {
		list.Held[i] = newHeldState(&m.Held[i].State, m.Held[i].Place.String())
	}
	for i := range m.Sent {
		list.Sent[i] = newSentState(&m.Sent[i])
	}
	for i := range m.Dead {
		d := &m.Dead[i]
		list.Refused[i] = RefusedState{newHeldState(&d.State, "refused"), d.End.Time, d.End.Code, d.End.Detail}
	}
	return list
}
