package main

import (
	"context"
	"io"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/reports"
	"statewire/resync"
	"statewire/smx"
)

const (
	// unreadFiles is how many waiting files are looked at for the clients they name. With more waiting the loader is behind, and
	// no client is asked to send even more.
	unreadFiles = 20_000
	// heldFiles is how many waiting files of a client are shown to a person.
	heldFiles = 20
)

// fileNames reads the clients that a file of the inbox names.
func fileNames(file io.Reader) (clients [][16]byte, known bool, err error) {
	index, err := smx.ReadIndex(file)
	if err != nil {
		return nil, false, err
	}
	clients = make([][16]byte, len(index.Clients))
	for i, client := range index.Clients {
		clients[i] = client
	}
	return clients, index.Known, nil
}

// unreadReports shows the resync stage whose reports wait in the inbox.
func unreadReports(dir *inbox.Dir) func(context.Context) (resync.Unread, error) {
	return func(ctx context.Context) (resync.Unread, error) {
		found, err := dir.Unread(ctx, fileNames, unreadFiles)
		if err != nil {
			return resync.Unread{}, err
		}
		out := resync.Unread{Everybody: found.Everybody, Reason: found.Reason, Clients: make(map[smx.ClientID]struct{}, len(found.Clients))}
		for client := range found.Clients {
			out.Clients[client] = struct{}{}
		}
		return out, nil
	}
}

// holding shows the reports stage which waiting files hold a client's reports.
func holding(dir *inbox.Dir) func(context.Context, uuid.UUID) (reports.Held, error) {
	return func(ctx context.Context, client uuid.UUID) (reports.Held, error) {
		files, _, err := dir.Holding(ctx, client, fileNames, unreadFiles)
		if err != nil {
			return reports.Held{}, err
		}
		var held reports.Held
		for i, f := range files {
			if i == heldFiles {
				held.More = len(files) - i
				break
			}
			shown := reports.HeldFile{Box: f.Box, Name: f.Name, Since: f.Since, Names: f.Names}
			if !f.Names {
				shown.Reason = "it does not say whose reports it holds"
			}
			held.Files = append(held.Files, shown)
		}
		return held, nil
	}
}
