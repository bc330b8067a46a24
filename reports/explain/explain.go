// Package explain says why a client is unknown, stale or incomplete, and where one of its messages is.
//
// Each sentence rests on a stored row or on a file that waits; nothing is guessed. Text, JSON and pages are made of
// one value.
package explain

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/reports"
)

//go:embed sql/*.sql
var queries embed.FS

// Explainer finds out about one client at a time.
type Explainer struct {
	// Constant after New.
	runner   *reports.Runner
	holding  func(context.Context, uuid.UUID) (Held, error)
	schedule func() Schedule
	agentLog func(context.Context, uuid.UUID, uint64) ([]AgentEvent, error)
	now      func() time.Time
	log      *slog.Logger

	certificate func(context.Context, uuid.UUID) (Certificate, error)
	tasks       func(context.Context, uuid.UUID) (Tasks, error)
}

// New makes an explainer that asks the store through a runner.
func New(runner *reports.Runner, deps Deps) *Explainer {
	x := &Explainer{
		runner: runner, holding: deps.Holding, schedule: deps.Schedule, agentLog: deps.AgentLog,
		certificate: deps.Certificate, tasks: deps.Tasks, now: deps.Now, log: cmp.Or(deps.Log, slog.New(slog.DiscardHandler)),
	}
	if x.now == nil {
		x.now = time.Now
	}
	return x
}

// ask runs one of the queries about a client.
func (x *Explainer) ask(ctx context.Context, name string, params map[string]string) ([]reports.Record, error) {
	text, err := queries.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return nil, fmt.Errorf("read the query %s: %w", name, err)
	}
	return x.runner.Ask(ctx, "client", string(text), params)
}

// Severity is how a fact reads at a glance.
type Severity string

// The four severities, from nothing to do to somebody has to act.
const (
	OK      Severity = "ok"
	Note    Severity = "note"
	Warning Severity = "warning"
	Bad     Severity = "problem"
)

// Explanation says in plain sentences what a site knows of one client, what it lacks and why, and what happens next.
type Explanation struct {
	Client  Client `json:"client"`
	Topic   *Topic `json:"topic,omitempty" doc:"The topic asked about"`
	Summary string `json:"summary" doc:"The one sentence that matters most"`
	Facts   []Fact `json:"facts"`
	Next    []Step `json:"next" doc:"What happens next by itself, and what a person can do"`
}

// Client is who an answer is about.
type Client struct {
	ID   uuid.UUID `json:"id,omitzero" doc:"Absent for a computer name that no client has"`
	Name string    `json:"name" doc:"Computer name; empty when no report told it"`
}

// Topic is a topic type and id.
type Topic struct {
	Type uint32 `json:"type"`
	ID   string `json:"id"`
}

// Fact is one thing that is so.
type Fact struct {
	Code     string     `json:"code" doc:"Stable name of the kind of fact"`
	Text     string     `json:"text"`
	Time     *time.Time `json:"time,omitempty" doc:"When it became so"`
	Severity Severity   `json:"severity" enum:"ok,note,warning,problem"`
}

// Step is one thing that is to come.
type Step struct {
	Text string     `json:"text"`
	At   *time.Time `json:"at,omitempty" doc:"When, as far as settings tell; absent when it is up to somebody"`
}

// Explain says what the site knows of a client, named by its id or its computer's name. A name that several clients
// have is an *AmbiguousError; one that none has gets an explanation, too, and so does an id the site has never heard
// of.
func (x *Explainer) Explain(ctx context.Context, client string, topic *Topic) (*Explanation, error) {
	id, err := x.FindClient(ctx, client)
	if errors.Is(err, ErrNoClient) {
		return x.explainName(ctx, strings.TrimSpace(client))
	}
	if err != nil {
		return nil, err
	}
	e, err := x.gather(ctx, id)
	if err != nil {
		return nil, err
	}
	return x.explain(ctx, e, topic)
}

// explain turns evidence into sentences.
func (x *Explainer) explain(ctx context.Context, e *evidence, topic *Topic) (*Explanation, error) {
	out := &Explanation{Client: e.client, Topic: topic, Facts: e.collect(), Next: e.foresee()}
	out.Summary = e.summary()
	if topic != nil {
		about, err := x.aboutTopic(ctx, e, *topic)
		if err != nil {
			return nil, err
		}
		out.Summary = about.summary
		out.Facts = append(about.facts, out.Facts...)
	}
	return out, nil
}
