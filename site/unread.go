package site

import (
	"bytes"
	"context"
	"io"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
)

const (
	// unreadFiles is how many waiting files are looked at for the clients they name. With more waiting the loader is
	// behind, and no client is asked to send even more.
	unreadFiles = 20_000
	// unreadBytes is how much of them is read for the serials they bring.
	unreadBytes = 256 << 20
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

// Unread shows the resync stage whose reports wait in the inbox, and which serials they bring.
func Unread(dir *inbox.Dir) func(context.Context) (gaps.Unread, error) {
	return func(ctx context.Context) (gaps.Unread, error) {
		arriving := newArriving()
		found, err := dir.Unread(ctx, arriving.read, unreadFiles)
		if err != nil {
			return gaps.Unread{}, err
		}
		out := gaps.Unread{Everybody: found.Everybody, Reason: found.Reason,
			Clients:  make(map[smx.ClientID]struct{}, len(found.Clients)),
			Arriving: arriving.runs, Partly: found.Backlog || arriving.left < 0}
		for client := range found.Clients {
			out.Clients[client] = struct{}{}
		}
		return out, nil
	}
}

// waitingClients tells the summaries whose reports wait in the inbox.
type waitingClients struct{ dir *inbox.Dir }

// Waiting are the clients that waiting files name, of the first that are looked at. A file that names nobody says
// nothing here.
func (w waitingClients) Waiting(ctx context.Context) (map[uuid.UUID]struct{}, error) {
	found, err := w.dir.Unread(ctx, fileNames, unreadFiles)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]struct{}, len(found.Clients))
	for client := range found.Clients {
		out[uuid.UUID(client)] = struct{}{}
	}
	return out, nil
}

// arriving gathers the serials in unread files.
type arriving struct {
	decoder *smx.Decoder
	batch   smx.Batch
	runs    map[smx.ClientID][]serials.Run
	left    int64 // bytes that may still be read; below 0 not all files were
}

func newArriving() *arriving {
	return &arriving{decoder: smx.NewDecoder(), runs: map[smx.ClientID][]serials.Run{}, left: unreadBytes}
}

// read is fileNames, and notes the serials of what loads.
func (a *arriving) read(file io.Reader) (clients [][16]byte, known bool, err error) {
	data, err := io.ReadAll(io.LimitReader(file, min(max(a.left, 0), smx.MaxFileBytes)+1))
	if err != nil {
		return nil, false, err
	}
	if a.left -= int64(len(data)); a.left >= 0 {
		a.batch.Reset()
		if a.decoder.Decode(data, &a.batch) == nil {
			a.note()
		}
	}
	return fileNames(io.MultiReader(bytes.NewReader(data), file))
}

// note adds the serials of the batch, those of records that will be set aside among them.
func (a *arriving) note() {
	for i, serial := range a.batch.Serial {
		a.add(a.batch.Reports[a.batch.Report[i]].Client, serial)
	}
	for i := range a.batch.Bad {
		if bad := &a.batch.Bad[i]; bad.HasSerial {
			a.add(a.batch.Reports[bad.Report].Client, bad.Serial)
		}
	}
}

func (a *arriving) add(client smx.ClientID, serial uint64) {
	if runs := serials.Append(a.runs[client], serial); runs != nil {
		a.runs[client] = runs
	}
}
