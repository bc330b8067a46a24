package site

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/reports/explain"
)

// heldFiles is how many waiting files of a client are shown to a person.
const heldFiles = 20

// Held shows the reports stage which waiting files hold a client's reports, which of its serials they bring, and
// whether anybody loads them.
func Held(dir *inbox.Dir, data string) func(context.Context, uuid.UUID) (explain.Held, error) {
	return func(ctx context.Context, client uuid.UUID) (explain.Held, error) {
		arriving := newArriving()
		files, all, err := dir.Holding(ctx, client, arriving.of(client), unreadFiles)
		if err != nil {
			return explain.Held{}, err
		}
		held := explain.Held{Part: !all, Read: all && arriving.left >= 0, Stopped: !HasLoader(data)}
		held.More = max(len(files)-heldFiles, 0)
		for _, f := range files[:len(files)-held.More] {
			shown := explain.HeldFile{Box: f.Box, Name: f.Name, Since: f.Since, Names: f.Names}
			if !f.Names {
				shown.Reason = "it does not say whose reports it holds"
			}
			held.Files = append(held.Files, shown)
		}
		held.Serials = arriving.runs[[16]byte(client)]
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
