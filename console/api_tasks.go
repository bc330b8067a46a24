package console

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// routeTasks adds what is asked of clients. Only a token may change anything: whoever comes without one is a viewer.
func (s *Server) routeTasks(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	read := func(id, path, summary, text string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: text,
			Tags: []string{"tasks"}, Responses: refusals(schemas)}
	}
	huma.Register(api, read("list-tasks", "/api/v1/tasks", "The tasks, the latest first", ""), s.apiTasks)
	huma.Register(api, read("show-task", "/api/v1/tasks/{id}", "One task with each client's step",
		"Clients that need somebody come first. JSON pages of `limit` clients (default 100, at most 1,000); the member "+
			"`next` is the `cursor` of the following page. With `step` only the clients in that step."), s.apiTask)
	create := changing("create-task", "/api/v1/tasks", "Ask clients to do a task")
	create.DefaultStatus = http.StatusCreated
	create.Description = "Above tasks.confirm_above clients the member `targets` has to be their number, else the answer " +
		"is 409 `not_confirmed`. A task that needs a second person is answered with the state `approval`. With `dry_run` " +
		"nothing is done, and the answer is what would be."
	register(api, create, taskBody(), s.apiCreateTask)
	reason := bodySchema(map[string]*huma.Schema{"reason": {Type: "string", Description: "Why; kept in the audit log"}})
	register(api, changing("cancel-task", "/api/v1/tasks/{id}/cancel",
		"Take a task back from every client that has not begun"), reason, s.apiCancelTask)
	register(api, changing("approve-task", "/api/v1/tasks/{id}/approve", "Agree to a task of somebody else"),
		bodySchema(nil), s.apiApproveTask)
	register(api, changing("rate-task", "/api/v1/tasks/{id}/rate", "Change how many clients a second get a task"),
		bodySchema(map[string]*huma.Schema{"rate": {Type: "integer",
			Description: "Clients a second; 0 is as many as notifier.throttle allows"}}, "rate"), s.apiRateTask)
	register(api, changing("stop-tasks", "/api/v1/notify/stop", "Stop all tasks: nothing is sent to any client"), reason,
		s.apiStop)
	register(api, changing("resume-tasks", "/api/v1/notify/resume", "Send tasks again"), reason, s.apiResume)
}

// changing is an operation that changes something.
func changing(id, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Tags: []string{"tasks"}}
}

// register adds an operation with a body. The description of the body comes afterwards: with it the framework would
// read and refuse bodies in its own words.
func register[In, Out any](api huma.API, op huma.Operation, body *huma.Schema,
	do func(context.Context, *In) (*Out, error)) {
	op.Responses = refusals(api.OpenAPI().Components.Schemas)
	huma.Register(api, op, do)
	api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{Required: true,
		Content: map[string]*huma.MediaType{"application/json": {Schema: body}}}
}

type tasksInput struct {
	givenQuery
	Open  string `query:"open" doc:"true: only tasks that still wait for a client, or for a second person"`
	Limit string `query:"limit" doc:"How many tasks, from 1 to 1000 (default 100)"`
}

type tasksOutput struct {
	Body struct {
		Tasks   []Task    `json:"tasks"`
		Stopped *TaskStop `json:"stopped" doc:"Why nothing is sent at the moment; null when tasks are sent"`
	}
}

// maxListed is how many tasks, or clients of one, an answer has at most.
const maxListed = 1000

func (s *Server) apiTasks(ctx context.Context, in *tasksInput) (*tasksOutput, error) {
	if err := in.refuse("open", "limit"); err != nil {
		return nil, err
	}
	open, limit, err := listQuery(in)
	if err != nil {
		return nil, err
	}
	if s.tasks == nil {
		return nil, noTasks()
	}
	list, err := s.tasks.List(ctx, callerOf(ctx), open, limit)
	if err != nil {
		return nil, s.taskProblem(err)
	}
	out := &tasksOutput{}
	if out.Body.Stopped, err = s.tasks.Stopped(ctx); err != nil {
		return nil, s.taskProblem(err)
	}
	if out.Body.Tasks = list; list == nil {
		out.Body.Tasks = []Task{}
	}
	return out, nil
}

func listQuery(in *tasksInput) (open bool, limit int, err error) {
	switch in.Open {
	case "", "false":
	case "true":
		open = true
	default:
		return false, 0, newProblem(http.StatusBadRequest, "bad_parameter", `parameter "open" has to be true or false`)
	}
	limit, err = shownLimit(in.Limit)
	return open, limit, err
}

// shownLimit reads how many rows are asked for.
func shownLimit(text string) (int, error) {
	if text == "" {
		return pageRows, nil
	}
	n, err := parseLimit(text)
	if err != nil || n > maxListed {
		return 0, newProblem(http.StatusBadRequest, "bad_parameter",
			`parameter "limit" has to be a whole number from 1 to 1000`)
	}
	return n, nil
}

type taskInput struct {
	givenQuery
	ID     string `path:"id" doc:"Number of the task, its GUID, or the beginning of that with at least 8 characters"`
	Step   string `query:"step" doc:"Only the clients in this step"`
	Limit  string `query:"limit" doc:"How many clients, from 1 to 1000 (default 100)"`
	Cursor string `query:"cursor" doc:"Where to continue: next of the page before"`
}

// TaskAnswer is a task with one page of its clients.
type TaskAnswer struct {
	Task
	Steps []TaskStep `json:"steps"`
	Next  string     `json:"next,omitempty" doc:"Cursor of the following page"`
}

type taskOutput struct{ Body TaskAnswer }

func (s *Server) apiTask(ctx context.Context, in *taskInput) (*taskOutput, error) {
	if err := in.refuse("step", "limit", "cursor"); err != nil {
		return nil, err
	}
	limit, err := shownLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	at, err := readCursor(in.Step, in.Cursor)
	if err != nil {
		return nil, err
	}
	if s.tasks == nil {
		return nil, noTasks()
	}
	answer, err := s.stepsFrom(ctx, callerOf(ctx), in.ID, at, limit)
	if err != nil {
		return nil, s.taskProblem(err)
	}
	return &taskOutput{*answer}, nil
}

// badFirst are the steps in the order in which a person wants to see them.
var badFirst = []string{"failed", "refused", "unknown", "expired", "running", "received", "pushed", "queued",
	"cancelled",
	"succeeded"}

// stepCursor is where a page of steps begins.
type stepCursor struct {
	steps []string  // still to be shown, in this order
	after uuid.UUID // of the first of them those clients are shown
}

// readCursor is where a page begins. A cursor is made by the page before; it holds no secret.
func readCursor(step, cursor string) (stepCursor, error) {
	at := stepCursor{steps: badFirst}
	if step != "" {
		if !slices.Contains(badFirst, step) {
			return at, newProblem(http.StatusBadRequest, "bad_parameter",
				`parameter "step" has to be one of `+strings.Join(badFirst, ", "))
		}
		at.steps = []string{step}
	}
	if cursor == "" {
		return at, nil
	}
	wrong := newProblem(http.StatusBadRequest, "bad_parameter", `parameter "cursor" is none that a page gave`)
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	name, id, ok := strings.Cut(string(text), " ")
	i := slices.Index(at.steps, name)
	if err != nil || !ok || i < 0 {
		return at, wrong
	}
	if at.after, err = uuid.Parse(id); err != nil {
		return at, wrong
	}
	at.steps = at.steps[i:]
	return at, nil
}

func cursorText(step string, after uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(step + " " + after.String()))
}

// stepsFrom is one page of a task's clients. A page may have clients of several steps.
func (s *Server) stepsFrom(ctx context.Context, by By, id string, at stepCursor, limit int) (*TaskAnswer, error) {
	task, _, err := s.tasks.Show(ctx, by, id, StepPage{})
	if err != nil {
		return nil, err
	}
	answer := &TaskAnswer{Task: task, Steps: []TaskStep{}}
	for _, step := range at.steps {
		want := limit + 1 - len(answer.Steps) // one more says whether another page follows
		_, steps, err := s.tasks.Show(ctx, by, id, StepPage{Step: step, After: at.after, Limit: want})
		if err != nil {
			return nil, err
		}
		answer.Steps, at.after = append(answer.Steps, steps...), uuid.Nil
		if len(answer.Steps) > limit {
			answer.Steps = answer.Steps[:limit]
			last := answer.Steps[limit-1]
			answer.Next = cursorText(last.Step, last.Client)
			break
		}
	}
	s.nameSteps(ctx, answer.Steps)
	return answer, nil
}

// nameSteps adds the computers' names, as far as the store tells them.
func (s *Server) nameSteps(ctx context.Context, steps []TaskStep) {
	ids := make([]uuid.UUID, len(steps))
	for i, step := range steps {
		ids[i] = step.Client
	}
	names, err := s.explainer.Names(ctx, ids)
	if err != nil {
		s.logFailure("names of clients", err)
	}
	for i := range steps {
		steps[i].Name = names[steps[i].Client]
	}
}

type changeInput struct {
	givenBody
	ID string `path:"id" doc:"Number of the task, its GUID, or the beginning of that with at least 8 characters"`
}

type stopInput struct {
	givenBody
}

// reasonBody is the body of a call that only has a reason.
type reasonBody struct {
	Reason string `json:"reason"`
}

func (s *Server) apiCancelTask(ctx context.Context, in *changeInput) (*taskOutput, error) {
	var body reasonBody
	return s.changeTask(ctx, in, &body, func(by By) error { return s.tasks.Cancel(ctx, by, in.ID, body.Reason) })
}

func (s *Server) apiApproveTask(ctx context.Context, in *changeInput) (*taskOutput, error) {
	return s.changeTask(ctx, in, &struct{}{}, func(by By) error { return s.tasks.Approve(ctx, by, in.ID) })
}

func (s *Server) apiRateTask(ctx context.Context, in *changeInput) (*taskOutput, error) {
	var body struct {
		Rate *int `json:"rate"`
	}
	return s.changeTask(ctx, in, &body, func(by By) error {
		if body.Rate == nil || *body.Rate < 0 {
			return newProblem(http.StatusBadRequest, "bad_parameter", "the member rate has to be a whole number from 0")
		}
		return s.tasks.SetRate(ctx, by, in.ID, *body.Rate)
	})
}

// changeTask reads the body of a call, changes a task, and answers how it stands then.
func (s *Server) changeTask(ctx context.Context, in *changeInput, body any, change func(By) error) (*taskOutput,
	error) {
	if err := in.refuse(); err != nil {
		return nil, err
	}
	if err := in.read(body); err != nil {
		return nil, err
	}
	if s.tasks == nil {
		return nil, noTasks()
	}
	by := callerOf(ctx)
	if err := change(by); err != nil {
		return nil, s.taskProblem(err)
	}
	task, _, err := s.tasks.Show(ctx, by, in.ID, StepPage{})
	if err != nil {
		return nil, s.taskProblem(err)
	}
	return &taskOutput{TaskAnswer{Task: task, Steps: []TaskStep{}}}, nil
}

type stopOutput struct {
	Body struct {
		Stopped *TaskStop `json:"stopped" doc:"null when tasks are sent"`
	}
}

func (s *Server) apiStop(ctx context.Context, in *stopInput) (*stopOutput, error) {
	return s.setStopped(ctx, in, tasks.Stop)
}

func (s *Server) apiResume(ctx context.Context, in *stopInput) (*stopOutput, error) {
	return s.setStopped(ctx, in, tasks.Resume)
}

func (s *Server) setStopped(ctx context.Context, in *stopInput,
	set func(t tasks, ctx context.Context, by By, reason string) error) (*stopOutput, error) {
	var body reasonBody
	if err := in.refuse(); err != nil {
		return nil, err
	}
	if err := in.read(&body); err != nil {
		return nil, err
	}
	if s.tasks == nil {
		return nil, noTasks()
	}
	if err := set(s.tasks, ctx, callerOf(ctx), body.Reason); err != nil {
		return nil, s.taskProblem(err)
	}
	out := &stopOutput{}
	var err error
	if out.Body.Stopped, err = s.tasks.Stopped(ctx); err != nil {
		return nil, s.taskProblem(err)
	}
	return out, nil
}
