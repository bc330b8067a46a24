package wire

import (
	"time"

	"github.com/google/uuid"
)

// Ask is a server's question for work; the manager holds it until there is some.
type Ask struct {
	Server   string
	ServerID uint32
	Epoch    uint64
	Version  uint64 // of the last report written
	Got      uint64 // number of the last Work that the server has
	Woken    uint64 // number of the last Work whose wakes, and those of all before it, are handed out
	Stopped  bool   // the server pushes nothing, as the last Work said
	Messages []ComponentMessage
}

// Work is what the manager wants of a server. It comes again until an Ask confirms it.
type Work struct {
	Number uint64
	Wakes  []uuid.UUID // clients that are to ask for their policy
	Full   bool        // the next report is to name all that are online, and comes within a minute
	Raise  []SessionOf // clients that are to count on from this session: another server knew a greater one
	End    []SessionOf // sessions that another server has replaced

	Pushes  []Push
	Cancels []Push // of tasks that the client may have
	Time    []byte // a SignedTime to hand to clients from now on; empty: as before
	Stopped bool   // nothing may be pushed until a Work says otherwise; it is said in every Work
}

// Push is a task, or its cancellation, on its way to one client. The server writes the frame when the client is
// connected and the throttle allows, never after NotAfter, and tells of it as a Result of step pushed. One that it will
// not write it tells as Dropped.
type Push struct {
	Push     uint64 // grows with every delivery
	TaskID   uint64
	Task     uuid.UUID
	Client   uuid.UUID
	NotAfter time.Time
	Envelope []byte
}

// Empty says whether there is nothing to do.
func (w Work) Empty() bool {
	return len(w.Wakes) == 0 && !w.Full && len(w.Raise) == 0 && len(w.End) == 0 && len(w.Pushes) == 0 &&
		len(w.Cancels) == 0 && len(w.Time) == 0
}

// SessionOf is a session of a client.
type SessionOf struct {
	Client  uuid.UUID
	Session uint64
}

// Seen is what a server tells of presence at once; its next file tells it again.
type Seen struct {
	Server   string
	ServerID uint32
	Epoch    uint64
	Rows     []Row
}

// ComponentMessage is an event that an administrator reads among the status messages of a component.
type ComponentMessage struct {
	Component string
	ID        int
	Time      time.Time
	Text      string
}

// The components of the fast channel, and their messages.
const (
	ServerComponent  = "SMS_NOTIFICATION_SERVER"
	ManagerComponent = "SMS_NOTIFICATION_MANAGER"

	ServerStarted   = 9800
	ListenerFailed  = 9801
	PortUnreachable = 9802
	LimitReached    = 9803
	ClockOff        = 9804
	ManagerStarted  = 9810
	BadFile         = 9811
	ServerSilent    = 9812
	VersionMissed   = 9813
	TasksExpired    = 9814
)
