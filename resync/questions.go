package resync

import (
	"context"
	_ "embed"
	"strings"
	"sync"
	"time"

	"statewire/smx"
	"statewire/store"
)

//go:embed sql/next_serial.sql
var nextSerialSQL string

// questionTimeout bounds a question to the store that many wait for.
const questionTimeout = 20 * time.Second

// storedSerials is what the store says of the serials of a client.
type storedSerials struct {
	greatest uint64 // received, or claimed and believed
	measure  uint64 // claims are measured by it
	known    bool
	floor    uint64 // its greatest when it was erased; 0: it never was
}

// questions gathers those who ask for a client's serials at the same time into one question to the store, which costs
// as much for hundreds of clients as for one: clients enrol by the thousand. Nobody is given an answer to a question
// that was put before it asked.
type questions struct {
	// Constant after newQuestions.
	read func(context.Context, []smx.ClientID) (map[smx.ClientID]storedSerials, error)
	turn chan struct{} // a place that whoever puts a question holds

	mu   sync.Mutex
	next *question // Guarded by mu: whom the next question is for; nil while nobody waits.
}

// question is one question to the store.
type question struct {
	clients []smx.ClientID // grows until the question is put
	done    chan struct{}

	// Constant after done is closed.
	found map[smx.ClientID]storedSerials
	err   error
}

func newQuestions(read func(context.Context, []smx.ClientID) (map[smx.ClientID]storedSerials, error)) *questions {
	return &questions{read: read, turn: make(chan struct{}, 1)}
}

// of is what the store says of a client.
func (a *questions) of(ctx context.Context, client smx.ClientID) (storedSerials, error) {
	r := a.join(client)
	select {
	case <-r.done:
	case <-ctx.Done():
		return storedSerials{}, ctx.Err()
	case a.turn <- struct{}{}:
		a.put(ctx, r)
		<-a.turn
	}
	return r.found[client], r.err
}

// join has a client asked for in the next question.
func (a *questions) join(client smx.ClientID) *question {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == nil {
		a.next = &question{done: make(chan struct{})}
	}
	a.next.clients = append(a.next.clients, client)
	return a.next
}

// put puts the question, unless that was done. Others wait for it, so that it does not end with who puts it.
func (a *questions) put(ctx context.Context, r *question) {
	a.mu.Lock()
	mine := a.next == r
	if mine {
		a.next = nil
	}
	a.mu.Unlock()
	if !mine {
		return // whoever had the turn before has put it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), questionTimeout)
	defer cancel()
	defer close(r.done)
	r.found, r.err = a.read(ctx, r.clients)
}

// serialsOf reads what the store says of clients. Those of whom it knows nothing are not in the answer.
func (l *storeLedger) serialsOf(ctx context.Context, clients []smx.ClientID) (map[smx.ClientID]storedSerials, error) {
	by := make(map[string]smx.ClientID, 2*len(clients))
	hashes := make([]string, len(clients))
	for i, client := range clients {
		hashes[i] = hashOf(client)
		by[hashes[i]], by[client.UUID()] = client, client
	}
	found := make(map[smx.ClientID]storedSerials, len(clients))
	args := []any{store.UUIDsArg("clients", clients), store.TextArg("hashes", "['"+strings.Join(hashes, "','")+"']")}
	err := l.store.EachRow(ctx, nextSerialSQL, args, func(scan func(...any) error) error {
		var key string
		var one storedSerials
		var known uint8
		if err := scan(&key, &one.greatest, &one.measure, &known, &one.floor); err != nil {
			return err
		}
		before := found[by[key]]
		found[by[key]] = storedSerials{max(before.greatest, one.greatest), max(before.measure, one.measure),
			before.known || known == 1, max(before.floor, one.floor)}
		return nil
	})
	return found, wrap(err, "read the serials of clients")
}
