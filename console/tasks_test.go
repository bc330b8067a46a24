package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/control"
	"statewire/reports"
	"statewire/reports/reportstest"
)

// queue is a notification manager that keeps what it is asked.
type queue struct {
	list    []Task
	steps   map[string][]TaskStep // by step
	stopped *TaskStop
	err     error // of everything that changes something
	away    error // of everything

	asked []string
	by    []By
	order TaskOrder
}

func (q *queue) did(by By, what string, args ...any) error {
	q.asked, q.by = append(q.asked, fmt.Sprintf(what, args...)), append(q.by, by)
	return errors.Join(q.away, q.err)
}

func (q *queue) Plan(_ context.Context, by By, o TaskOrder) (TaskPlan, error) {
	q.order = o
	return TaskPlan{Task: o.Name, Targets: 3, Online: 2, Servers: []TaskServer{{"push1", 1, 2}}}, q.did(by, "plan")
}

func (q *queue) Create(_ context.Context, by By, o TaskOrder) (Task, error) {
	q.order = o
	return Task{ID: 14, Name: o.Name, Parameters: map[string]string{}}, q.did(by, "create")
}

func (q *queue) List(_ context.Context, by By, open bool, limit int) ([]Task, error) {
	q.asked, q.by = append(q.asked, fmt.Sprint("list ", open, " ", limit)), append(q.by, by)
	return q.list[:min(limit, len(q.list))], q.away
}

func (q *queue) Show(_ context.Context, by By, id string, page StepPage) (Task, []TaskStep, error) {
	q.by = append(q.by, by)
	i := slices.IndexFunc(q.list, func(t Task) bool { return id == fmt.Sprint(t.ID) || id == t.GUID.String() })
	if i < 0 {
		return Task{}, nil, errors.Join(q.away, &identity.Refusal{Code: "no_task", Status: 404, Detail: "there is no task " +
			id})
	}
	var steps []TaskStep
	for _, s := range q.steps[page.Step] {
		if bytes.Compare(s.Client[:], page.After[:]) > 0 && len(steps) < page.Limit {
			steps = append(steps, s)
		}
	}
	return q.list[i], steps, q.away
}

func (q *queue) Cancel(_ context.Context, by By, id, reason string) error {
	return q.did(by, "cancel %s %s", id, reason)
}
func (q *queue) Approve(_ context.Context, by By, id string) error {
	return q.did(by, "approve %s", id)
}
func (q *queue) SetRate(_ context.Context, by By, id string, rate int) error {
	return q.did(by, "rate %s %d", id, rate)
}
func (q *queue) Stop(_ context.Context, by By, reason string) error {
	return q.did(by, "stop %s", reason)
}
func (q *queue) Resume(_ context.Context, by By, reason string) error {
	return q.did(by, "resume %s", reason)
}
func (q *queue) Stopped(context.Context) (*TaskStop, error) { return q.stopped, q.away }

// someTasks is a manager with two tasks, one of them for clients in many steps.
func someTasks() *queue {
	at := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	step := func(client int, name string, change func(*TaskStep)) TaskStep {
		s := TaskStep{Client: reportstest.ID(client), Step: name, At: at, ServerID: 1}
		if change != nil {
			change(&s)
		}
		return s
	}
	three := int32(3)
	return &queue{
		list: []Task{
			{ID: 13, GUID: reportstest.ID(913), Name: "Statewire.Utility.TestEvent", Pack: "Statewire.Utility",
				Version: "1.0.0.0", Class: "benign", For: "collection pilot", Actor: "local:0", State: "active", Created: at,
				NotAfter: at.Add(time.Hour), Parameters: map[string]string{"Text": "<b>hello</b>"}, Reason: "a `test`",
				Counts: TaskCounts{Targets: 7, Offline: 1, Running: 1, Succeeded: 3, Failed: 1, Refused: 1, Late: 1}},
			{ID: 12, GUID: reportstest.ID(912), Name: "Statewire.Utility.FullScan", Class: "disruptive", For: "all",
				Actor: "token:7Q2M", State: "approval", Created: at, NotAfter: at, Parameters: map[string]string{},
				Counts: TaskCounts{Targets: 2000, Queued: 2000}},
			{ID: 11, GUID: reportstest.ID(911), Name: "Statewire.Utility.Policy", State: "ended", Created: at, NotAfter: at,
				Parameters: map[string]string{}, Counts: TaskCounts{Targets: 1, Succeeded: 1}},
		},
		steps: map[string][]TaskStep{
			"failed": {step(1, "failed", func(s *TaskStep) {
				s.ExitCode, s.Output, s.Truncated = &three, "<script>alert(1)</script>\nmore", true
			})},
			"refused":   {step(2, "refused", func(s *TaskStep) { s.Reason, s.Detail = "bad_parameter", "Text" })},
			"running":   {step(3, "running", nil)},
			"queued":    {step(4, "queued", func(s *TaskStep) { s.Reason, s.ServerID = "offline", 0 })},
			"succeeded": {step(5, "succeeded", nil), step(6, "succeeded", nil), step(7, "succeeded", nil)},
		},
	}
}

// withTasks shows pages with a manager.
func withTasks(q *queue) func(*parts) { return func(p *parts) { p.pages.Tasks = q } }

// taskSite is a site with a manager, and tokens of every role.
func taskSite(t *testing.T, q *queue) (http.Handler, map[identity.Role]string) {
	seed, tokens := reportstest.Fleet(t), newTokens(t)
	s := newServer(t, seed, parts{cfg: reports.DefaultConfig(), pages: Deps{Tokens: tokens, Tasks: q}})
	out := map[identity.Role]string{}
	for _, role := range identity.Roles() {
		out[role] = tokens.make(role).Token
	}
	return s.handler, out
}

// post sends a body.
func post(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// Each call is for those whose role has its permission, and reaches the manager with the caller's name and address.
func TestTasksAreChangedByTokensThatMay(t *testing.T) {
	q := someTasks()
	h, tokens := taskSite(t, q)
	for _, c := range []struct {
		path, body string
		least      identity.Role
		does       string
		status     int
	}{
		{"/api/v1/tasks", `{"task":"TestEvent","all":true}`, identity.Operator, "create", 201},
		{"/api/v1/tasks", `{"task":"TestEvent","all":true,"dry_run":true}`, identity.Operator, "plan", 200},
		{"/api/v1/tasks/13/cancel", `{"reason":"wrong"}`, identity.Operator, "cancel 13 wrong", 200},
		{"/api/v1/tasks/13/rate", `{"rate":10}`, identity.Operator, "rate 13 10", 200},
		{"/api/v1/tasks/13/approve", `{}`, identity.Admin, "approve 13", 200},
		{"/api/v1/notify/stop", `{"reason":"fire"}`, identity.Operator, "stop fire", 200},
		{"/api/v1/notify/resume", `{}`, identity.Admin, "resume ", 200},
	} {
		if got := codeIn(t, h, c.path, post(c.body)); got != "403 forbidden" {
			t.Errorf("%s without a token: %s", c.path, got)
		}
		for _, role := range identity.Roles() {
			q.asked, q.by = nil, nil
			got := codeIn(t, h, c.path, post(c.body), bearer(tokens[role]))
			if !role.Has(c.least) {
				if got != "403 forbidden" || len(q.asked) > 0 {
					t.Errorf("%s may %s: %s, %q", role, c.path, got, q.asked)
				}
				continue
			}
			if got != fmt.Sprint(c.status) || len(q.asked) != 1 || q.asked[0] != c.does {
				t.Errorf("%s %s: %s, %q", role, c.path, got, q.asked)
			} else if by := q.by[0]; by.Role != role || !strings.HasPrefix(by.Actor, "token:") || by.From != "127.0.0.1" {
				t.Errorf("%s %s came as %+v", role, c.path, by)
			}
			foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
			if got := codeIn(t, h, c.path, post(c.body), bearer(tokens[role]), foreign); got != "403 cross_origin" {
				t.Errorf("a page of another site: %s", got)
			}
		}
	}
}

// An order has the fields of the command. What cannot be read is refused before anybody is asked.
func TestAnOrderIsReadAsTheCommandReadsIt(t *testing.T) {
	q := someTasks()
	h, tokens := taskSite(t, q)
	id := reportstest.ID(1)
	w := get(t, h, "/api/v1/tasks", bearer(tokens[identity.Operator]), post(`{"task":"TestEvent","parameters":{"Text":"a",
		"N":5,"On":true},"clients":["GUID:`+id.String()+`","`+reportstest.ID(2).String()+`"],"validity":"2d","rate":7,
		"spread":"30m","targets":2,"reason":"why"}`))
	want := TaskOrder{Name: "TestEvent", Clients: []uuid.UUID{id, reportstest.ID(2)}, Validity: 48 * time.Hour, Rate: 7,
		Spread: 30 * time.Minute, Expect: 2, Reason: "why", Parameters: map[string]string{"Text": "a", "N": "5",
			"On": "true"}}
	if w.Code != http.StatusCreated || fmt.Sprint(q.order) != fmt.Sprint(want) ||
		w.Header().Get("Location") != "/api/v1/tasks/14" {
		t.Errorf("%d %s, %+v, want %+v", w.Code, w.Header().Get("Location"), q.order, want)
	}
	for body, code := range map[string]string{
		``: "bad_body", `{`: "bad_body", `[]`: "bad_body", `{"task":"T","all":true} {}`: "bad_body",
		`{"task":"T","all":true,"tragets":3}`: "bad_body", `{"task":"T","all":"yes"}`: "bad_body",
		`{"all":true}`: "bad_order", `{"task":"T"}`: "bad_order", `{"task":"T","all":true,"collection":"x"}`: "bad_order",
		`{"task":"T","all":true,"clients":["x"]}`: "bad_order", `{"task":"T","all":true,"rate":-1}`: "bad_order",
		`{"task":"T","all":true,"targets":-1}`: "bad_order", `{"task":"T","all":true,"validity":"59s"}`: "bad_order",
		`{"task":"T","all":true,"validity":"31d"}`: "bad_order", `{"task":"T","all":true,"spread":"-1m"}`: "bad_order",
		`{"task":"T","clients":["GUID:1"]}`: "bad_parameter",
	} {
		q.asked = nil
		if got := codeIn(t, h, "/api/v1/tasks", bearer(tokens[identity.Admin]), post(body)); got != "400 "+code ||
			len(q.asked) > 0 {
			t.Errorf("%s: %s, %q", body, got, q.asked)
		}
	}
	admin := bearer(tokens[identity.Admin])
	if got := codeIn(t, h, "/api/v1/tasks", admin, post(`{"task":"T","all":true,"validity":"lasting"}`)); got != "201" ||
		!q.order.Lasting || q.order.Validity != 0 || !q.order.All {
		t.Errorf("lasting: %s %+v", got, q.order)
	}
	if got := codeIn(t, h, "/api/v1/tasks", admin, post(`{"task":"T","clients":["NOBODY"]}`)); got != "404 no_client" {
		t.Errorf("a name that none has: %s", got)
	}
	if got := codeIn(t, h, "/api/v1/tasks/13/rate", admin, post(`{}`)); got != "400 bad_parameter" {
		t.Errorf("no rate: %s", got)
	}
	if got := codeIn(t, h, "/api/v1/tasks?dry_run=true", admin,
		post(`{"task":"T","all":true}`)); got != "400 bad_parameter" {
		t.Errorf("a parameter in the address: %s", got)
	}
	large := `{"task":"` + strings.Repeat("x", maxBodyBytes) + `"}`
	if got := codeIn(t, h, "/api/v1/tasks", admin, post(large)); got != "413 body_too_large" {
		t.Errorf("a large body: %s", got)
	}
}

// A caller with collections of its own does not learn which names there are.
func TestAScopedCallerLearnsNoNames(t *testing.T) {
	q, tokens := someTasks(), newTokens(t)
	s := newServer(t, reportstest.Fleet(t), parts{cfg: reports.DefaultConfig(), pages: Deps{Tokens: tokens, Tasks: q}})
	scoped := bearer(tokens.make(identity.Operator, "pilot").Token)
	if got := codeIn(t, s.handler, "/api/v1/tasks", scoped, post(`{"task":"T","clients":["NOBODY"]}`)); got !=
		"403 out_of_scope" {
		t.Error(got)
	}
	if got := codeIn(t, s.handler, "/api/v1/notify/stop", scoped, post(`{}`)); got != "403 out_of_scope" {
		t.Errorf("it stops everybody's tasks: %s", got)
	}
	if got := codeIn(t, s.handler, "/api/v1/tasks", scoped, post(`{"task":"T","all":true}`)); got != "201" ||
		fmt.Sprint(q.by[len(q.by)-1].Collections) != "[pilot]" {
		t.Errorf("%s: the manager decides by the caller's collections: %+v", got, q.by)
	}
}

// A refusal keeps its code, in one process and across processes; what is not meant for a caller stays in the log.
func TestRefusalsOfTheManagerKeepTheirCodes(t *testing.T) {
	q := someTasks()
	h, tokens := taskSite(t, q)
	for _, c := range []struct {
		err  error
		want string
	}{
		{&identity.Refusal{Code: "not_confirmed", Status: 409, Detail: "312 clients"}, "409 not_confirmed"},
		{coded{"out_of_scope", "out_of_scope: outside"}, "403 out_of_scope"},
		{coded{"audit_unavailable", "audit_unavailable: disk full"}, "503 audit_unavailable"},
		{coded{"own_task", "own_task: it is yours"}, "403 own_task"},
		{coded{"unheard", "open /secret/path"}, "503 manager_away"},
		{control.Invalid("write it so"), "400 bad_order"}, {control.NotFound("no collection x"), "404 no_task"},
		{errors.New("dial unix /secret/path"), "503 manager_away"},
	} {
		q.err = c.err
		w := get(t, h, "/api/v1/tasks/13/cancel", bearer(tokens[identity.Admin]), post(`{}`))
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || fmt.Sprint(w.Code, " ", p.Code) != c.want ||
			strings.Contains(p.Detail, "secret") || strings.HasPrefix(p.Detail, p.Code) ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %d %s, want %s", c.err, w.Code, w.Body, c.want)
		}
	}
	if got := codeIn(t, h, "/api/v1/tasks/99"); got != "404 no_task" {
		t.Errorf("a task that is not there: %s", got)
	}
	none := handler(t, reportstest.NewSeed(t))
	if got := codeIn(t, none, "/api/v1/tasks"); got != "503 manager_away" {
		t.Errorf("without a manager: %s", got)
	}
}

// coded is an error as it comes from another process.
type coded struct{ code, text string }

func (e coded) Error() string     { return e.text }
func (e coded) ErrorCode() string { return e.code }

// The pages of a task's clients follow each other without a gap, and begin with what failed.
func TestStepsComeInPagesFailuresFirst(t *testing.T) {
	q := someTasks()
	h, _ := taskSite(t, q)
	for _, limit := range []int{1, 2, 3, 7, 100} {
		var got []string
		cursor, pages := "", 0
		for {
			w := get(t, h, fmt.Sprintf("/api/v1/tasks/13?limit=%d&cursor=%s", limit, cursor))
			var answer struct {
				TaskID uint64 `json:"task_id"`
				Steps  []struct {
					Client uuid.UUID `json:"client_id"`
					Step   string
					Name   string `json:"netbios_name"`
				}
				Next string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.TaskID != 13 || len(answer.Steps) > limit {
				t.Fatalf("%v: %s", err, w.Body)
			}
			for _, s := range answer.Steps {
				got = append(got, s.Step+" "+s.Client.String()[35:])
			}
			if pages++; answer.Next == "" || pages > 10 {
				break
			}
			cursor = answer.Next
		}
		want := "failed 1, refused 2, running 3, queued 4, succeeded 5, succeeded 6, succeeded 7"
		if strings.Join(got, ", ") != want || pages != (7+limit-1)/limit {
			t.Errorf("limit %d: %d pages: %s", limit, pages, got)
		}
	}
	var only struct{ Steps []TaskStep }
	if err := json.Unmarshal(get(t, h, "/api/v1/tasks/13?step=succeeded").Body.Bytes(), &only); err != nil ||
		len(only.Steps) != 3 {
		t.Errorf("%v %+v", err, only)
	}
	for _, query := range []string{"step=done", "limit=0", "limit=1001", "cursor=x",
		"cursor=" + cursorText("done", uuid.Nil),
		"step=failed&cursor=" + cursorText("queued", uuid.Nil), "stpe=failed"} {
		if got := codeIn(t, h, "/api/v1/tasks/13?"+query); got != "400 bad_parameter" {
			t.Errorf("%s: %s", query, got)
		}
	}
	for query, want := range map[string]string{"": "list false 100", "?open=true&limit=5": "list true 5"} {
		q.asked = nil
		if get(t, h, "/api/v1/tasks"+query); len(q.asked) != 1 || q.asked[0] != want {
			t.Errorf("%q: %q", query, q.asked)
		}
	}
	if got := codeIn(t, h, "/api/v1/tasks?open=maybe"); got != "400 bad_parameter" {
		t.Error(got)
	}
}
