package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"statewire/resync"
	"statewire/smx"
)

// targetFlags name the clients that a command is about.
type targetFlags struct {
	clients    []string
	collection string
	file       string
	all        bool
}

func (t *targetFlags) registerClients(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&t.clients, "client", nil, "a client, as GUID:… or as its UUID (repeatable)")
	cmd.Flags().StringVar(&t.file, "file", "", "a file with one client per line; - is standard input")
}

func (t *targetFlags) registerCollection(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.collection, "collection", "", "the clients of a collection")
}

// target reads the flags.
func (t *targetFlags) target() (resync.Target, error) {
	clients, err := t.list()
	if err != nil {
		return resync.Target{}, err
	}
	kinds := 0
	for _, given := range []bool{len(clients) > 0, t.collection != "", t.all} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return resync.Target{}, usageError{fmt.Errorf("name the clients by --client or --file, or by --collection%s", t.allHint())}
	}
	return resync.Target{Clients: clients, Collection: t.collection, All: t.all}, nil
}

func (t *targetFlags) allHint() string {
	if t.all {
		return ", or --all; not several of them"
	}
	return "; exactly one of them"
}

// list are the clients named one by one.
func (t *targetFlags) list() ([]smx.ClientID, error) {
	var clients []smx.ClientID
	for _, text := range t.clients {
		client, err := parseClient(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--client %.60q: %w", text, err)}
		}
		clients = append(clients, client)
	}
	if t.file == "" {
		return clients, nil
	}
	listed, err := readClients(t.file)
	return append(clients, listed...), err
}

// parseClient reads a client id as the wire or the store writes it.
func parseClient(text string) (smx.ClientID, error) {
	text = strings.TrimSpace(text)
	if client, err := smx.ParseClientID(text); err == nil {
		return client, nil
	}
	client, err := smx.ParseUUID(text)
	if err != nil {
		return client, fmt.Errorf("write GUID: and 36 hex digits and dashes, or those 36 alone")
	}
	return client, nil
}

// readClients reads a file with one client per line; empty lines and what follows a # do not count.
func readClients(path string) ([]smx.ClientID, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usageError{fmt.Errorf("read the list of clients: %w", err)}
		}
		defer file.Close()
		in = file
	}
	var clients []smx.ClientID
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		client, err := parseClient(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s, line %d: %w", path, n, err)}
		}
		clients = append(clients, client)
	}
	if err := lines.Err(); err != nil {
		return nil, usageError{fmt.Errorf("read the list of clients: %w", err)}
	}
	if len(clients) == 0 {
		return nil, usageError{fmt.Errorf("%s names no client", path)}
	}
	return clients, nil
}
