package local

import (
	"context"
	"net/http"
	"time"

	"statewire/agent/runner"
)

// tasker carries out the tasks that the site asks for.
type tasker interface {
	List() ([]runner.Listed, error)
	// Counts are how many tasks are held, and how many of them run.
	Counts() (held, running int)
}

// ShowTasks lets the socket tell of tasks. Call it before Serve.
func (s *Server) ShowTasks(t tasker) { s.tasks = t }

// TaskReport is a task that the site asked for.
type TaskReport struct {
	TaskID   uint64    `json:"task_id"`
	TaskGUID string    `json:"task_guid"`
	Name     string    `json:"name"`
	Step     string    `json:"step"`
	Code     string    `json:"code,omitempty"` // why it was refused or failed
	Received time.Time `json:"received"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	NotAfter time.Time `json:"not_after,omitzero"` // by the site's clock
}

func (s *Server) listTasks(w http.ResponseWriter, _ *http.Request) {
	list := []TaskReport{}
	if s.tasks != nil {
		all, err := s.tasks.List()
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
		for _, t := range all {
			list = append(list, TaskReport{TaskID: t.Number, TaskGUID: t.ID.String(), Name: t.Name, Step: t.Step,
				Code: t.Code, Received: t.Received.UTC(), Started: t.Started.UTC(), Finished: t.Finished.UTC(),
				NotAfter: t.NotAfter.UTC()})
		}
	}
	say(w, list)
}

// Tasks asks which tasks the site asked for.
func (c *Client) Tasks(ctx context.Context) ([]TaskReport, error) {
	return call[[]TaskReport](ctx, c, askTimeout, http.MethodGet, "/v1/tasks", nil)
}
