package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"statewire/smx"
)

// FleetStore is the one file in which the clients of a fleet keep what they hold, and the fleet how far it came.
type FleetStore struct{ bolt *Bolt }

var (
	bucketFleet = []byte("fleet")
	keyProgress = []byte("progress")
)

// fleetProgress is what a fleet keeps of itself.
type fleetProgress struct {
	Clients   int           `json:"clients"`
	Seed      uint64        `json:"seed"`
	Simulated time.Duration `json:"simulated"` // since its patch day began
}

// OpenFleetStore opens a fleet's store file, and makes it when there is none. A power cut may take back what was written last.
func OpenFleetStore(path string) (*FleetStore, error) {
	bolt, err := OpenBolt(path, BoltOptions{KeepSent: -1, Coalesce: true, NoSync: true})
	if err != nil {
		return nil, err
	}
	return &FleetStore{bolt}, nil
}

// ReadFleetStore opens a fleet's store file that must be there.
func ReadFleetStore(path string) (*FleetStore, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no fleet's store at %s; name it with --store, or run `statewire fleet` first", path)
	}
	return OpenFleetStore(path)
}

// Close closes the file.
func (fs *FleetStore) Close() error { return fs.bolt.Close() }

// Path is the file's.
func (fs *FleetStore) Path() string { return fs.bolt.path }

// New tells whether no fleet has used the file yet.
func (fs *FleetStore) New() (bool, error) {
	p, err := fs.progress()
	return p.Clients == 0, err
}

// Each calls fn for every client, in the order of their ids, with the latest state of each of its topics by type and id.
func (fs *FleetStore) Each(fn func(client smx.ClientID, held []Held) error) error {
	clients, err := fs.bolt.Clients()
	if err != nil {
		return err
	}
	for _, id := range clients {
		held, err := fs.bolt.Client(id).Held()
		if err != nil {
			return fmt.Errorf("client %s: %w", id, err)
		}
		if err := fn(id, held); err != nil {
			return err
		}
	}
	return nil
}

// FleetTotals is what the clients of a fleet hold: what a site should end up with.
type FleetTotals struct {
	Clients        int
	Topics         int
	Serials        uint64 // given, of all clients together
	GreatestSerial uint64
	Unsent         int // states that the relay has not taken
	DeadLetters    int // states that it never will
}

// Totals sums up every client.
func (fs *FleetStore) Totals() (t FleetTotals, err error) {
	clients, err := fs.bolt.Clients()
	if err != nil {
		return t, err
	}
	for _, id := range clients {
		sum, err := fs.bolt.Client(id).Summary()
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
func (fs *FleetStore) alone() (over func()) {
	fs.bolt.coalesce = false
	return func() { fs.bolt.coalesce = true }
}

func (fs *FleetStore) open(client smx.ClientID) (vault, error) { return fs.bolt.Client(client), nil }

// begin is the simulated time at which a fleet goes on. Another fleet than the one before it is refused: its clients would be
// strangers to the file.
func (fs *FleetStore) begin(cfg FleetConfig) (time.Duration, error) {
	p, err := fs.progress()
	if err != nil || p.Clients == 0 {
		return 0, err
	}
	if p.Clients != cfg.Clients || p.Seed != cfg.Seed {
		return 0, fmt.Errorf("the store %s is that of a fleet of %d clients with seed %d; run that one, or name another file with --store",
			fs.Path(), p.Clients, p.Seed)
	}
	return p.Simulated, nil
}

// keep notes how far the fleet came.
func (fs *FleetStore) keep(cfg FleetConfig, at time.Duration) error {
	text, err := json.Marshal(fleetProgress{Clients: cfg.Clients, Seed: cfg.Seed, Simulated: at})
	if err != nil {
		return err
	}
	err = fs.bolt.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucketIfNotExists(bucketFleet)
		if err != nil {
			return err
		}
		return bucket.Put(keyProgress, text)
	})
	if err != nil {
		return fmt.Errorf("note in %s how far the fleet came: %w", fs.Path(), err)
	}
	return nil
}

func (fs *FleetStore) progress() (p fleetProgress, err error) {
	err = fs.bolt.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketFleet)
		if bucket == nil {
			return nil
		}
		return json.Unmarshal(bucket.Get(keyProgress), &p)
	})
	if err != nil {
		return p, fmt.Errorf("read from %s how far the fleet came: %w", fs.Path(), err)
	}
	return p, nil
}
