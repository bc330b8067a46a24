package manager

import (
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/notifier/wire"
)

// Order is a task as somebody asks for it.
type Order struct {
	Name       string           `json:"name"` // of the task in its pack, or its last part where only one ends so
	Parameters []wire.Parameter `json:"parameters,omitempty"`

	// Who is to do it: exactly one of these.
	Clients    []uuid.UUID `json:"clients,omitempty"`
	Collection string      `json:"collection,omitempty"`
	All        bool        `json:"all,omitempty"`

	Validity time.Duration `json:"validity_ns,omitempty"` // 0: notifier.task_validity
	Lasting  bool          `json:"lasting,omitempty"`     // 30 days, and in the policy, too
	Rate     int           `json:"rate,omitempty"`        // clients a second; 0: as notifier.throttle allows
	Spread   time.Duration `json:"spread_ns,omitempty"`   // clients begin at different times within it
	// how many targets the caller counts on; 0: any within tasks.confirm_above
	Expect int    `json:"expect,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// By is who asks, and from where.
type By struct {
	identity.Person
	From string `json:"from,omitempty"` // an address; empty: this machine
}

// Plan is what an order would do.
type Plan struct {
	Task       string       `json:"task"`
	Pack       string       `json:"pack"`
	Version    string       `json:"pack_version"`
	Class      string       `json:"class"`
	Targets    int          `json:"targets"`
	Online     int          `json:"online"`
	Offline    int          `json:"offline"`
	Duplicates int          `json:"duplicates"` // several machines with one identity: nothing is pushed to them
	Servers    []ServerPlan `json:"servers"`
	Rate       int          `json:"rate"`    // clients a second, at most, of each server
	Seconds    float64      `json:"seconds"` // until the last client that is online now has it
	Second     bool         `json:"second_person"`
	Stopped    bool         `json:"stopped"` // somebody stopped all pushes
	NotAfter   time.Time    `json:"not_after"`
}

// ServerPlan is how many of the targets a server holds.
type ServerPlan struct {
	Server   string `json:"server"`
	ServerID uint32 `json:"server_id"`
	Online   int    `json:"online"`
}

// TaskState is where a task stands as a whole.
type TaskState string

// The states of a task.
const (
	TaskWaits     TaskState = "approval" // a second person has to agree
	TaskActive    TaskState = "active"
	TaskEnded     TaskState = "ended" // every client has come to an end
	TaskCancelled TaskState = "cancelled"
)

// TaskStatus is a task as people see it.
type TaskStatus struct {
	ID         uint64           `json:"task_id"`
	Task       uuid.UUID        `json:"task_guid"`
	Name       string           `json:"name"`
	Type       uint32           `json:"task_type"`
	Pack       string           `json:"pack"`
	Version    string           `json:"pack_version"`
	Class      string           `json:"class"`
	Parameters []wire.Parameter `json:"parameters"`
	For        string           `json:"for"` // as it was asked: the collection, "all", "3 clients"
	Actor      string           `json:"actor"`
	Approver   string           `json:"approver,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	State      TaskState        `json:"state"`
	Why        string           `json:"state_reason,omitempty"` // of cancelled: asked, creator_revoked
	Lasting    bool             `json:"lasting"`
	Rate       int              `json:"rate"`
	Spread     time.Duration    `json:"spread_ns"`
	Created    time.Time        `json:"created_time"`
	NotAfter   time.Time        `json:"not_after"`
	Counts     Counts           `json:"counts"`
}

// Counts are the clients of a task by their step. Those from Queued to Unknown add up to Targets.
type Counts struct {
	Targets   int `json:"targets"`
	Queued    int `json:"queued"`  // and online
	Offline   int `json:"offline"` // queued, and not online
	Pushed    int `json:"pushed"`
	Received  int `json:"received"`
	Running   int `json:"running"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Refused   int `json:"refused"`
	Expired   int `json:"expired"`
	Cancelled int `json:"cancelled"`
	Unknown   int `json:"unknown"`

	Late        int `json:"late"`        // results that came after the site waited no longer; in Succeeded and Failed not
	Unsolicited int `json:"unsolicited"` // results of clients that nobody asked
}

// StepStatus is how far one client is with a task.
type StepStatus struct {
	Client uuid.UUID `json:"client_id"`
	Step   wire.Step `json:"step"`
	// of queued: online, offline, duplicate, throttled; of refused and failed: the code
	Reason   string      `json:"reason,omitempty"`
	Detail   string      `json:"detail,omitempty"`
	ExitCode int32       `json:"exit_code"`
	Server   uint32      `json:"server_id"`
	Push     uint64      `json:"push_id"`
	Pushes   uint64      `json:"push_count"`
	Late     bool        `json:"late"`
	At       time.Time   `json:"step_time"` // of the step, by the site's clock
	Pushed   time.Time   `json:"pushed_time,omitzero"`
	Received time.Time   `json:"received_time,omitzero"`
	Started  time.Time   `json:"started_time,omitzero"` // by the client's clock
	Finished time.Time   `json:"finished_time,omitzero"`
	Output   wire.Output `json:"output"`
}
