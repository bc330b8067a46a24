package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"statewire/agent/cache"
	"statewire/smx"
)

// Store is the one file in which the clients of a fleet keep what they hold, and the fleet how far it came.
type Store struct{ file *cache.File }

// Where in the file the fleet notes how far it came.
const (
	noteBucket   = "fleet"
	noteProgress = "progress"
)

// progress is what a fleet keeps of itself.
type progress struct {
	Clients   int           `json:"clients"`
	Seed      uint64        `json:"seed"`
	Simulated time.Duration `json:"simulated"` // since its patch day began
}

// OpenStore opens a fleet's store file, and makes it when there is none. A power cut may take back what was written
// last.
func OpenStore(path string) (*Store, error) {
	file, err := cache.Open(path, cache.Options{KeepSent: -1, Coalesce: true, NoSync: true})
	if err != nil {
		return nil, err
	}
	return &Store{file}, nil
}

// ReadStore opens a fleet's store file that must be there.
func ReadStore(path string) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no fleet's store at %s; name it with --store, or run `statewire fleet` first", path)
	}
	return OpenStore(path)
}

// Close closes the file.
func (fs *Store) Close() error { return fs.file.Close() }

// Path is the file's.
func (fs *Store) Path() string { return fs.file.Path() }

// Unused tells whether no fleet has used the file yet.
func (fs *Store) Unused() (bool, error) {
	p, err := fs.progress()
	return p.Clients == 0, err
}

// Each calls fn for every client, in the order of their ids, with the latest state of each of its topics by type and
// id.
func (fs *Store) Each(fn func(client smx.ClientID, held []cache.Held) error) error {
	clients, err := fs.file.Clients()
	if err != nil {
		return err
	}
	for _, id := range clients {
		held, err := fs.file.Client(id).Held()
		if err != nil {
			return fmt.Errorf("client %s: %w", id, err)
		}
		if err := fn(id, held); err != nil {
			return err
		}
	}
	return nil
}

// Totals is what the clients of a fleet hold: what a site should end up with.
type Totals struct {
	Clients        int
	Topics         int
	Serials        uint64 // given, of all clients together
	GreatestSerial uint64
	Unsent         int // states that the relay has not taken
	DeadLetters    int // states that it never will
}

// Totals sums up every client.
func (fs *Store) Totals() (t Totals, err error) {
	clients, err := fs.file.Clients()
	if err != nil {
		return t, err
	}
	for _, id := range clients {
		sum, err := fs.file.Client(id).Summary()
		if err != nil {
			return t, fmt.Errorf("client %s: %w", id, err)
		}
		t.Clients++
		t.Topics += int(sum.States)
		t.Serials += sum.LastSerial
		t.GreatestSerial = max(t.GreatestSerial, sum.LastSerial)
		t.Unsent += int(sum.Unsent)
		t.DeadLetters += sum.DeadLetters
	}
	return t, nil
}

// alone lets writes go through at once, for a single caller, until the function it returns is called.
func (fs *Store) alone() (over func()) {
	fs.file.Coalesce(false)
	return func() { fs.file.Coalesce(true) }
}

func (fs *Store) open(client smx.ClientID) (clientStore, error) {
	return fs.file.Client(client), nil
}

// begin is the simulated time at which a fleet goes on. Another fleet than the one before it is refused: its clients
// would be strangers to the file.
func (fs *Store) begin(cfg Config) (time.Duration, error) {
	p, err := fs.progress()
	if err != nil || p.Clients == 0 {
		return 0, err
	}
	if p.Clients != cfg.Clients || p.Seed != cfg.Seed {
		return 0, fmt.Errorf("the store %s is that of a fleet of %d clients with seed %d; run that one, or name "+
			"another file with --store",
			fs.Path(), p.Clients, p.Seed)
	}
	return p.Simulated, nil
}

// keep notes how far the fleet came.
func (fs *Store) keep(cfg Config, at time.Duration) error {
	text, err := json.Marshal(progress{Clients: cfg.Clients, Seed: cfg.Seed, Simulated: at})
	if err != nil {
		return err
	}
	err = fs.file.PutNote(noteBucket, noteProgress, text)
	if err != nil {
		return fmt.Errorf("note in %s how far the fleet came: %w", fs.Path(), err)
	}
	return nil
}

func (fs *Store) progress() (p progress, err error) {
	text, err := fs.file.Note(noteBucket, noteProgress)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read from %s how far the fleet came: %w", fs.Path(), err)
	}
	return p, nil
}
