package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/spf13/cobra"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"statewire/cmd/statewire/cli"
	"statewire/internal/parse"
	"statewire/reports/explain"
	"statewire/resync"
	"statewire/smx"
	"statewire/store"
)

// targetFlags name the clients that a command is about.
type targetFlags struct {
	clients    []string
	collection string
	file       string
	all        bool
	takesAll   bool
}

func (t *targetFlags) registerClients(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&t.clients, "client", nil,
		"a client, by its id (GUID:… or its UUID, in braces or not) or computer name (repeatable)")
	cmd.Flags().StringVar(&t.file, "file", "", "a file with one client per line; - is standard input")
}

func (t *targetFlags) registerCollection(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.collection, "collection", "", "the clients of a collection")
}

func (t *targetFlags) registerAll(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.all, "all", false, "every client of the site")
	t.takesAll = true
}

// target reads the flags, and looks up the computer names among them.
func (g *globals) target(ctx context.Context, t *targetFlags) (resync.Target, error) {
	list, err := t.list(g.OpenFile)
	if err != nil {
		return resync.Target{}, err
	}
	kinds := 0
	for _, given := range []bool{len(list) > 0, t.collection != "", t.all} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return resync.Target{}, cli.Usage(errors.New(t.hint()))
	}
	clients, err := g.clientsOf(ctx, list)
	return resync.Target{Clients: clients, Collection: t.collection, All: t.all}, err
}

func (t *targetFlags) hint() string {
	if t.takesAll {
		return "name the clients by --client or --file, by --collection, or by --all; exactly one of them"
	}
	return "name the clients by --client or --file, or by --collection; exactly one of them"
}

// mention is a client as a person wrote it.
type mention struct {
	text  string
	where string // for messages
}

// list are the clients named one by one, each an id or what may be a computer's name.
func (t *targetFlags) list(open func(string) (io.ReadCloser, error)) (list []mention, err error) {
	for _, text := range t.clients {
		list = append(list, mention{text, fmt.Sprintf("--client %.60q", text)})
	}
	if t.file != "" {
		listed, err := readClients(t.file, open)
		if err != nil {
			return nil, err
		}
		list = append(list, listed...)
	}
	for _, m := range list {
		if _, _, err := parse.Client(m.text); err != nil {
			return nil, cli.Usage(fmt.Errorf("%s: %w", m.where, err))
		}
	}
	return list, nil
}

// readClients reads a file with one client per line, in UTF-8 or, with a byte order mark, UTF-16. Empty lines, what
// follows a # and the header of this program's own csv do not count.
func readClients(path string, open func(string) (io.ReadCloser, error)) ([]mention, error) {
	in, name := io.Reader(os.Stdin), "standard input"
	if path != "-" {
		file, err := open(path)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("read the list of clients: %w", err))
		}
		defer file.Close()
		in, name = file, path
	}
	var list []mention
	lines := bufio.NewScanner(transform.NewReader(in, unicode.BOMOverride(unicode.UTF8.NewDecoder())))
	n := 1
	for ; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text != "" && (n > 1 || text != "client_id") {
			list = append(list, mention{text, fmt.Sprintf("%s, line %d, %.60q", name, n, text)})
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, cli.Usage(fmt.Errorf("%s, line %d: too long to name a client", name, n))
	case err != nil:
		return nil, cli.Usage(fmt.Errorf("read the list of clients: %w", err))
	case len(list) == 0:
		return nil, cli.Usage(fmt.Errorf("%s names no client", name))
	}
	return list, nil
}

// clientsOf are the clients that a person named. The store is opened only for computer names.
func (g *globals) clientsOf(ctx context.Context, list []mention) ([]smx.ClientID, error) {
	var clients []smx.ClientID
	var named []mention
	for _, m := range list {
		client, name, err := parse.Client(m.text)
		switch {
		case err != nil:
			return nil, cli.Usage(fmt.Errorf("%s: %w", m.where, err))
		case name == "":
			clients = append(clients, smx.ClientID(client))
		default:
			named = append(named, mention{name, m.where})
		}
	}
	if len(named) == 0 {
		return clients, nil
	}
	db, _, err := commandStore(ctx, g)
	if err != nil {
		return nil, err
	}
	found, err := clientsNamed(ctx, db, named)
	return append(clients, found...), errors.Join(err, db.Close())
}

// oneClient is the client that --client names.
func (g *globals) oneClient(ctx context.Context, text string) (smx.ClientID, error) {
	list, err := (&targetFlags{clients: []string{text}}).list(nil)
	if err != nil {
		return smx.ClientID{}, err
	}
	clients, err := g.clientsOf(ctx, list)
	if err != nil {
		return smx.ClientID{}, err
	}
	return clients[0], nil
}

// namesPerQuery is how many names one query looks for.
const namesPerQuery = 1000

// clientsNamed looks for the one client of each computer name; with a name that none has, or several, it finds nobody.
func clientsNamed(ctx context.Context, db *store.Store, named []mention) (clients []smx.ClientID, err error) {
	names := make([]string, len(named))
	for i, m := range named {
		names[i] = strings.ToLower(m.text)
	}
	slices.Sort(names)
	have := map[string][]explain.Namesake{}
	for part := range slices.Chunk(slices.Compact(names), namesPerQuery) {
		if err := namesakes(ctx, db, part, have); err != nil {
			return nil, err
		}
	}
	var unknown []mention
	for _, m := range named {
		switch same := have[strings.ToLower(m.text)]; len(same) {
		case 0:
			unknown = append(unknown, m)
		case 1:
			clients = append(clients, smx.ClientID(same[0].ID))
		default:
			return nil, fmt.Errorf("%s: %w", m.where, &explain.AmbiguousError{Name: m.text, Clients: same[:min(len(same), 50)]})
		}
	}
	if len(unknown) == 0 {
		return clients, nil
	}
	others := ""
	if n := len(unknown) - 1; n > 0 {
		others = fmt.Sprintf(" and %d more", n)
	}
	return nil, fmt.Errorf(
		"%s%s: %w: `statewire report clients --param name=PART` finds clients by a part of name or id, "+
			"and a client that has never reported can be named by its id (GUID:…)", unknown[0].where, others, explain.ErrNoClient)
}

//go:embed client_names.sql
var clientNamesSQL string

// namesakes adds the clients that have the names, which are in lower case.
func namesakes(ctx context.Context, db *store.Store, names []string, have map[string][]explain.Namesake) error {
	rows, err := db.Conn().Query(ctx, clientNamesSQL, clickhouse.Named("names", strings.Join(names, "\n")))
	if err != nil {
		return fmt.Errorf("look for clients by name: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var one explain.Namesake
		if err := rows.Scan(&one.ID, &one.Name, &one.LastReport); err != nil {
			return fmt.Errorf("look for clients by name: %w", err)
		}
		key := strings.ToLower(one.Name)
		have[key] = append(have[key], one)
	}
	return rows.Err()
}
