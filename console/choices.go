package console

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"strconv"

	"statewire/console/web"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

//go:embed sql/*.sql
var queries embed.FS

// ask runs a small query of the pages' own. Nothing that a reader typed becomes part of its text.
func (s *Server) ask(ctx context.Context, name string, params map[string]string) ([]reports.Record, error) {
	text, err := queries.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return nil, fmt.Errorf("read the query %s: %w", name, err)
	}
	return s.runner.Ask(ctx, "page", string(text), params)
}

// choices are what a pick list offers. A list that can't be read is one without entries: the field still takes text.
func (s *Server) choices(ctx context.Context, list string) []web.Option {
	if by := callerOf(ctx); list == "collections" && by.Scoped() {
		return ownCollections(by.Collections) // others are none of this caller's business
	}
	rows, err := s.lists.get(ctx, list, nil)
	if err != nil {
		s.logFailure("list of "+list, err)
	}
	var out []web.Option
	for _, row := range rows {
		o := web.Option{Value: row.Raw("name"), Label: tabular.Shorten(row.Text("name"), 60)}
		if list == "topics" {
			o = web.Option{Value: row.Raw("topic_type"), Label: row.Raw("topic_type")}
			if title := names.Topic(row.Text("name")); title != "" {
				o.Label = title + " (" + o.Value + ")"
			}
		}
		out = append(out, o)
	}
	return out
}

func ownCollections(names []string) (out []web.Option) {
	for _, name := range names {
		out = append(out, web.Option{Value: name, Label: name})
	}
	return out
}

// states are the states of one topic type; none where the number can't be one.
func (s *Server) states(ctx context.Context, topicType string) []web.Option {
	if n, err := strconv.ParseUint(topicType, 10, 32); err != nil || n == 0 {
		return nil
	}
	rows, err := s.ask(ctx, "states", map[string]string{"topic_type": topicType})
	if err != nil {
		s.logFailure("list of states", err)
	}
	var out []web.Option
	for _, row := range rows {
		out = append(out, web.Option{Value: row.Raw("state_id"),
			Label: row.Text("name") + " (" + row.Raw("state_id") + ")"})
	}
	return out
}

// field is one parameter of a report's form: a pick list where the values are few, suggestions where they are many.
func (s *Server) field(ctx context.Context, p reports.Param, given map[string]string) web.Field {
	f := fieldOf(p, given)
	if len(f.Options) > 0 {
		return f
	}
	none := "any"
	switch p.Name {
	case "collection":
		f.Options, none = s.choices(ctx, "collections"), "the whole site"
	case "group":
		f.Options = s.choices(ctx, "groups")
	case "severity":
		f.Options = s.choices(ctx, "severities")
	case "topic_type":
		f.Options = s.choices(ctx, "topics")
	case "state_id":
		f.Options = s.states(ctx, given["topic_type"])
	case "subject", "topic_id":
		f.Suggest = "/suggest/subjects"
	}
	if len(f.Options) == 0 || !p.Required && p.Default == "" || p.Name == "topic_type" && p.Default == "0" {
		if len(f.Options) > 0 {
			f.Options = append([]web.Option{{Value: p.Default, Label: none}}, f.Options...)
		}
	} else if p.Required {
		f.Options = append([]web.Option{{Value: "", Label: "choose one"}}, f.Options...)
	}
	f.Keep()
	return f
}

// suggest answers what is typed into a field with entries for its list.
func (s *Server) suggest(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("what") != "subjects" {
		s.notFound(w, r)
		return
	}
	search := ""
	for _, name := range suggestFields {
		search += r.URL.Query().Get(name)
	}
	rows, err := s.ask(r.Context(), "subjects", map[string]string{"search": tabular.Shorten(search, 200)})
	if err != nil {
		s.logFailure("suggestions", err)
		problemOf(err).serve(w)
		return
	}
	var out []web.Option
	for _, row := range rows {
		o := web.Option{Value: row.Raw("topic_id"), Label: row.Text("title") + " · " + row.Text("kind")}
		if r.URL.Query().Has("subject") {
			o.Value = row.Raw("kind") + "/" + o.Value
		}
		out = append(out, o)
	}
	s.part(w, r, "options", out)
}

// suggestFields are the fields that ask for suggestions, by the names that they are sent under.
var suggestFields = []string{"subject", "topic_id", "search"}
