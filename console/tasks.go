package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/control"
)

// tasks is what the notification manager does for people. A caller with collections of its own is kept within them by
// the manager, and so is the permission for the class of a task.
type tasks interface {
	Plan(context.Context, By, TaskOrder) (TaskPlan, error)
	Create(context.Context, By, TaskOrder) (Task, error)
	List(ctx context.Context, by By, open bool, limit int) ([]Task, error)
	Show(ctx context.Context, by By, id string, page StepPage) (Task, []TaskStep, error)
	Cancel(ctx context.Context, by By, id, reason string) error
	Approve(ctx context.Context, by By, id string) error
	SetRate(ctx context.Context, by By, id string, rate int) error
	Stop(ctx context.Context, by By, reason string) error
	Resume(ctx context.Context, by By, reason string) error
	// Stopped is why nothing is sent now, with who wanted it; nil when tasks are sent.
	Stopped(context.Context) (*TaskStop, error)
}

// By is who asks, and from which address.
type By struct {
	identity.Person
	From string
}

// TaskOrder is a task as somebody asks for it.
type TaskOrder struct {
	Name       string
	Parameters map[string]string
	Clients    []uuid.UUID
	Collection string
	All        bool
	Validity   time.Duration // 0: as the site is set
	Lasting    bool
	Rate       int
	Spread     time.Duration
	Expect     int
	Reason     string
}

// TaskPlan is what an order would do.
type TaskPlan struct {
	Task       string       `json:"task"`
	Pack       string       `json:"pack"`
	Version    string       `json:"pack_version"`
	Class      string       `json:"class" enum:"benign,disruptive,destructive"`
	Targets    int          `json:"targets"`
	Online     int          `json:"online"`
	Offline    int          `json:"offline"`
	Duplicates int          `json:"duplicates" doc:"Clients whose identity several machines have: nothing is sent to them"`
	Servers    []TaskServer `json:"servers"`
	Rate       int          `json:"rate" doc:"Clients a second of each server, at most"`
	Seconds    float64      `json:"seconds" doc:"Until the last client that is connected now has it"`
	Second     bool         `json:"second_person" doc:"Whether a second person has to agree"`
	Stopped    bool         `json:"stopped" doc:"Whether somebody stopped all tasks"`
	NotAfter   time.Time    `json:"not_after"`
}

// TaskServer is how many of the targets a notification server holds.
type TaskServer struct {
	Server   string `json:"server"`
	ServerID uint32 `json:"server_id"`
	Online   int    `json:"online"`
}

// Task is a task as a whole.
type Task struct {
	ID         uint64            `json:"task_id"`
	GUID       uuid.UUID         `json:"task_guid"`
	Name       string            `json:"task"`
	Pack       string            `json:"pack"`
	Version    string            `json:"pack_version"`
	Class      string            `json:"class" enum:"benign,disruptive,destructive"`
	Parameters map[string]string `json:"parameters"`
	For        string            `json:"for" doc:"As it was asked: a collection, all, a number of clients"`
	Actor      string            `json:"actor"`
	Approver   string            `json:"approver"`
	Reason     string            `json:"reason"`
	State      string            `json:"state" enum:"approval,active,ended,cancelled"`
	Why        string            `json:"state_reason"`
	Lasting    bool              `json:"lasting"`
	Rate       int               `json:"rate"`
	Spread     float64           `json:"spread_seconds"`
	Created    time.Time         `json:"created_time"`
	NotAfter   time.Time         `json:"not_after"`
	Counts     TaskCounts        `json:"counts"`
}

// TaskCounts are the clients of a task by their step. Those from queued to unknown add up to targets.
type TaskCounts struct {
	Targets   int `json:"targets"`
	Queued    int `json:"queued" doc:"Waiting, and connected"`
	Offline   int `json:"offline" doc:"Waiting, and not connected"`
	Pushed    int `json:"pushed"`
	Received  int `json:"received"`
	Running   int `json:"running"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Refused   int `json:"refused"`
	Expired   int `json:"expired"`
	Cancelled int `json:"cancelled"`
	Unknown   int `json:"unknown"`

	Late        int `json:"late" doc:"Results that came when the site waited no longer"`
	Unsolicited int `json:"unsolicited" doc:"Results of clients that nobody asked"`
}

// TaskStep is how far one client is with a task. A time that has not come is null.
type TaskStep struct {
	Client    uuid.UUID  `json:"client_id"`
	Name      string     `json:"netbios_name"`
	Step      string     `json:"step" enum:"queued,pushed,received,running,expired,cancelled,unknown,refused,failed,succeeded"`
	Reason    string     `json:"reason" doc:"Of queued why it waits; of refused and failed the code"`
	Detail    string     `json:"detail"`
	ExitCode  *int32     `json:"exit_code"`
	ServerID  uint32     `json:"server_id"`
	Pushes    uint64     `json:"push_count"`
	Late      bool       `json:"late"`
	At        time.Time  `json:"step_time"`
	Pushed    *time.Time `json:"pushed_time"`
	Received  *time.Time `json:"received_time"`
	Started   *time.Time `json:"started_time" doc:"By the client's clock"`
	Finished  *time.Time `json:"finished_time" doc:"By the client's clock"`
	Size      uint64     `json:"output_bytes"`
	Truncated bool       `json:"output_truncated"`
	Output    string     `json:"output"`
}

// StepPage is which of a task's steps are asked for.
type StepPage struct {
	Step  string    // empty: any
	After uuid.UUID // of the clients in that step those behind this one; zero: from the first
	Limit int       // 0: none
}

// TaskStop is why nothing is sent.
type TaskStop struct {
	Since  time.Time `json:"since"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
}

// noTasks is the refusal where nobody can be asked about tasks.
func noTasks() *Problem {
	return newProblem(http.StatusServiceUnavailable, "manager_away",
		"the process with the ingest role, which knows the tasks, does not answer: try again")
}

// taskStatuses are the codes with which the manager refuses, and the status that each has here.
var taskStatuses = map[string]int{
	"forbidden": http.StatusForbidden, "out_of_scope": http.StatusForbidden, "own_task": http.StatusForbidden,
	"no_task": http.StatusNotFound, "no_collection": http.StatusNotFound, "no_client": http.StatusNotFound,
	"bad_parameter": http.StatusBadRequest, "not_overridable": http.StatusBadRequest, "bad_order": http.StatusBadRequest,
	"not_confirmed": http.StatusConflict, "not_waiting": http.StatusConflict, "task_over": http.StatusConflict,
	"audit_unavailable": http.StatusServiceUnavailable, "store_away": http.StatusServiceUnavailable,
}

// taskProblem says an error of the manager to a caller. What has no code is no word for a caller.
func (s *Server) taskProblem(err error) *Problem {
	var known *Problem
	var refused *identity.Refusal
	var wrong *control.InvalidError
	code := control.Code(err)
	switch status, ok := taskStatuses[code]; {
	case errors.As(err, &known):
		return known
	case errors.As(err, &refused):
		p := newProblem(refused.Status, refused.Code, refused.Detail)
		p.Retry, p.after = refused.Retry, refused.After
		return p
	case ok:
		return newProblem(status, code, strings.TrimPrefix(err.Error(), code+": "))
	case errors.Is(err, control.ErrNotFound):
		return newProblem(http.StatusNotFound, "no_task", err.Error())
	case errors.As(err, &wrong):
		return newProblem(http.StatusBadRequest, "bad_order", wrong.Problem)
	}
	s.log.Warn("ask the notification manager", "err", err)
	return noTasks()
}
