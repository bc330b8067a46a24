package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/reports"
)

// heldReports is holding, reads which serials of the client the files that name it bring, and says whether anybody loads them.
func heldReports(dir *inbox.Dir, data string) func(context.Context, uuid.UUID) (reports.Held, error) {
	return func(ctx context.Context, client uuid.UUID) (reports.Held, error) {
		held, err := holding(dir)(ctx, client)
		held.Stopped = roleHolder(filepath.Join(data, "run", "ingest.lock")) == 0
		if err != nil || !slices.ContainsFunc(held.Files, func(f reports.HeldFile) bool { return f.Names }) {
			return held, err
		}
		arriving := newArriving()
		_, all, err := dir.Holding(ctx, client, arriving.of(client), unreadFiles)
		if err != nil {
			return reports.Held{}, err
		}
		for _, run := range arriving.runs[[16]byte(client)] {
			held.Serials = append(held.Serials, reports.SerialRun(run))
		}
		held.Read = all && arriving.left >= 0
		return held, nil
	}
}

// of reads the serials of the files that name one client, and of the others only whom they name.
func (a *arriving) of(client uuid.UUID) inbox.Names {
	return func(file io.Reader) (clients [][16]byte, known bool, err error) {
		var head bytes.Buffer
		clients, known, err = fileNames(io.TeeReader(file, &head))
		if err != nil || !slices.Contains(clients, [16]byte(client)) {
			return clients, known, err
		}
		return a.read(io.MultiReader(&head, file))
	}
}
