package explain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/internal/parse"
	"statewire/internal/tabular"
)

// ErrNoClient is returned for a computer name that no client has.
var ErrNoClient = errors.New("no client has this name")

// ClientError is a text that names no client, whoever is known.
type ClientError struct {
	Text string
	Err  error // what is wrong with it, and what to write
}

func (e *ClientError) Error() string { return fmt.Sprintf("client %.64q %v", e.Text, e.Err) }
func (e *ClientError) Unwrap() error { return e.Err }

// AmbiguousError is a computer name that several clients have.
type AmbiguousError struct {
	Name    string
	Clients []Namesake // the one that reported last first; at most 50
}

// Namesake is one of several clients of a name.
type Namesake struct {
	Client
	LastReport time.Time `json:"last_report"`
}

func (e *AmbiguousError) Error() string {
	lines := make([]string, len(e.Clients))
	for i, c := range e.Clients {
		lines[i] = fmt.Sprintf("%s (last report %s)", WireID(c.ID), humanize.Clock(c.LastReport))
	}
	return fmt.Sprintf("%d clients are called %s; name one by its id: %s", len(e.Clients),
		tabular.TerminalSafe(tabular.Shorten(e.Name, 64)), strings.Join(lines, ", "))
}

// FindClient reads a client id, with or without GUID:, or looks for the one client of a computer name. An id need not
// be known. A text that can be neither is a *ClientError.
func (x *Explainer) FindClient(ctx context.Context, text string) (uuid.UUID, error) {
	id, name, err := parse.Client(text)
	if err != nil {
		return uuid.Nil, &ClientError{text, err}
	}
	if name == "" {
		return id, nil
	}
	unnamed := fmt.Errorf("%.64q: %w: `statewire report clients --param name=PART` finds clients by a part of name or "+
		"id, and a client that has never reported can be named by its id (GUID:…)", name, ErrNoClient)
	rows, err := x.ask(ctx, "find", map[string]string{"name": strings.ToValidUTF8(name, "\ufffd")})
	if err != nil {
		return uuid.Nil, err
	}
	if len(rows) == 0 {
		return uuid.Nil, unnamed
	}
	several := &AmbiguousError{Name: name}
	for _, row := range rows {
		id, err := uuid.Parse(row.Raw("client_id"))
		if err != nil {
			return uuid.Nil, fmt.Errorf("read a client's id: %w", err)
		}
		several.Clients = append(several.Clients, Namesake{Client{id, row.Raw("netbios_name")}, row.Time("last_report_time")})
	}
	if len(several.Clients) > 1 {
		return uuid.Nil, several
	}
	return several.Clients[0].ID, nil
}

// Names are the computers' names of clients. One that is not known has none.
func (x *Explainer) Names(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	if len(ids) == 0 {
		return names, nil
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	rows, err := x.ask(ctx, "names", map[string]string{"ids": strings.Join(list, "\n")})
	for _, row := range rows {
		if id, err := uuid.Parse(row.Raw("client_id")); err == nil {
			names[id] = row.Raw("netbios_name")
		}
	}
	return names, err
}
