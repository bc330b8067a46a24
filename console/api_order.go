package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/parse"
	"statewire/reports/explain"
)

// maxBodyBytes bounds a body: a list of 50,000 clients fits.
const maxBodyBytes = 4 << 20

// givenBody is a request's query, and its body as it came. It is read here, and not by the framework, so that every
// refusal is a problem with a code.
type givenBody struct {
	givenQuery
	body []byte
	err  error
}

// Resolve reads both.
func (in *givenBody) Resolve(ctx huma.Context) []error {
	in.givenQuery.Resolve(ctx)
	in.body, in.err = io.ReadAll(io.LimitReader(ctx.BodyReader(), maxBodyBytes+1))
	return nil
}

// read fills in what the body says. A member that is none is never passed over.
func (in *givenBody) read(into any) error {
	switch {
	case in.err != nil:
		return newProblem(http.StatusBadRequest, "bad_body", "the body could not be read to its end")
	case len(in.body) > maxBodyBytes:
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large",
			fmt.Sprintf("the body has more than %d bytes: name a collection in place of its clients", maxBodyBytes))
	}
	lines := json.NewDecoder(bytes.NewReader(in.body))
	lines.DisallowUnknownFields()
	err := lines.Decode(into)
	if err == nil && lines.More() {
		err = errors.New("more follows the object")
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty: write at least {}")
	}
	if err != nil {
		return newProblem(http.StatusBadRequest, "bad_body", "the body is not the JSON object that is expected: "+err.Error())
	}
	return nil
}

// orderBody is a task as a caller asks for it: the fields of `statewire notify`.
type orderBody struct {
	Task       string                     `json:"task"`
	Parameters map[string]json.RawMessage `json:"parameters"`
	Clients    []string                   `json:"clients"`
	Collection string                     `json:"collection"`
	All        bool                       `json:"all"`
	Validity   string                     `json:"validity"`
	Rate       int                        `json:"rate"`
	Spread     string                     `json:"spread"`
	Targets    int                        `json:"targets"`
	Reason     string                     `json:"reason"`
	DryRun     bool                       `json:"dry_run"`
}

// taskBody describes the body of a new task.
func taskBody() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: "string", Description: doc} }
	number := func(doc string) *huma.Schema { return &huma.Schema{Type: "integer", Description: doc} }
	return bodySchema(map[string]*huma.Schema{
		"task": text("The task's id, or its last part: Policy, TestEvent"),
		"parameters": {Type: "object", AdditionalProperties: true,
			Description: "Values of the task's parameters, by name"},
		"clients": {Type: "array", Items: &huma.Schema{Type: "string"},
			Description: "Ids or computer names; exactly one of clients, collection and all is given"},
		"collection": text("The clients of a collection"),
		"all":        {Type: "boolean", Description: "Every client of the site"},
		"validity":   text("How long clients may begin, as 30m or 2d, from 1m to 30d; or lasting"),
		"rate":       number("Clients a second, at most; 0 is as many as notifier.throttle allows"),
		"spread":     text("Clients begin at different times within this, as 30m"),
		"targets":    number("How many clients you count on: with any other number nothing is done"),
		"reason":     text("Why; kept with the task and in the audit log"),
		"dry_run":    {Type: "boolean", Description: "Only say whom it would reach"},
	}, "task")
}

// bodySchema is an object with these members and no others.
func bodySchema(members map[string]*huma.Schema, required ...string) *huma.Schema {
	return &huma.Schema{Type: "object", Properties: members, Required: required, AdditionalProperties: false}
}

type createOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

func (s *Server) apiCreateTask(ctx context.Context, in *stopInput) (*createOutput, error) {
	var body orderBody
	if err := in.refuse(); err != nil {
		return nil, err
	}
	if err := in.read(&body); err != nil {
		return nil, err
	}
	if s.tasks == nil {
		return nil, noTasks()
	}
	order, err := s.orderOf(ctx, &body)
	if err != nil {
		return nil, err
	}
	if body.DryRun {
		plan, err := s.tasks.Plan(ctx, callerOf(ctx), order)
		if err != nil {
			return nil, s.taskProblem(err)
		}
		return &createOutput{Status: http.StatusOK, Body: plan}, nil
	}
	task, err := s.tasks.Create(ctx, callerOf(ctx), order)
	if err != nil {
		return nil, s.taskProblem(err)
	}
	return &createOutput{Status: http.StatusCreated, Location: "/api/v1/tasks/" + strconv.FormatUint(task.ID, 10),
		Body: task}, nil
}

// orderOf reads an order as a body gives it.
func (s *Server) orderOf(ctx context.Context, b *orderBody) (TaskOrder, error) {
	o := TaskOrder{Name: b.Task, Collection: b.Collection, All: b.All, Rate: b.Rate, Expect: b.Targets, Reason: b.Reason,
		Parameters: map[string]string{}}
	wrong := func(text string, args ...any) error {
		return newProblem(http.StatusBadRequest, "bad_order", fmt.Sprintf(text, args...))
	}
	kinds := 0
	for _, given := range []bool{len(b.Clients) > 0, b.Collection != "", b.All} {
		if given {
			kinds++
		}
	}
	switch {
	case b.Task == "":
		return o, wrong("the member task is missing: it names the task")
	case kinds != 1:
		return o, wrong("exactly one of the members clients, collection and all says who is meant")
	case b.Rate < 0, b.Targets < 0:
		return o, wrong("the members rate and targets are whole numbers from 0")
	}
	var err error
	if o.Validity, o.Lasting, err = readValidity(b.Validity); err != nil {
		return o, wrong("the member validity %v", err)
	}
	if b.Spread != "" {
		if o.Spread, err = parse.Duration(b.Spread); err != nil || o.Spread < 0 {
			return o, wrong("the member spread is %.40q: write a time, as 30m", b.Spread)
		}
	}
	for name, raw := range b.Parameters {
		o.Parameters[name] = plainText(raw)
	}
	o.Clients, err = s.idsOf(ctx, b.Clients)
	return o, err
}

// readValidity reads how long clients may begin.
func readValidity(text string) (d time.Duration, lasting bool, err error) {
	switch text {
	case "":
		return 0, false, nil
	case "lasting":
		return 0, true, nil
	}
	if d, err = parse.Duration(text); err != nil || d < time.Minute || d > 30*24*time.Hour {
		return 0, false, fmt.Errorf("is %.40q: write a time from 1m to 30d, or lasting", text)
	}
	return d, false, nil
}

// plainText is a value as a parameter has it: 5, true and "5" say the same as on the command line.
func plainText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// idsOf are the clients that a caller named by ids or computer names. A caller with collections of its own is not told
// which names there are.
func (s *Server) idsOf(ctx context.Context, names []string) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, name := range names {
		id, err := s.explainer.FindClient(ctx, name)
		var several *explain.AmbiguousError
		if callerOf(ctx).Scoped() && (errors.Is(err, explain.ErrNoClient) || errors.As(err, &several)) {
			return nil, s.taskProblem(identity.OutOfScope(1, "client", "clients"))
		}
		if err != nil {
			p := *s.clientProblem("clients of a task", err)
			p.Detail = fmt.Sprintf("clients, %.60q: %s", name, p.Detail)
			return nil, &p
		}
		ids = append(ids, id)
	}
	return ids, nil
}
