package manager

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"statewire/internal/durable"
	"statewire/notifier/wire"
)

// aside is why a file is set aside.
type aside struct {
	File   string    `json:"file"`
	Reason string    `json:"reason"`
	Server uint32    `json:"server_id,omitempty"` // as it says; 0 where that cannot be read
	Row    int       `json:"row,omitempty"`       // of a file whose other rows loaded
	Time   time.Time `json:"set_aside_time"`

	flood   bool
	counted bool
}

// senders are who sent bad files, by the id that the files name.
type senders struct {
	recent map[uint32][]time.Time // when their last ones came
	flood  map[uint32]bool
	rows   []time.Time // when the last bad rows were kept
}

func newSenders() senders {
	return senders{recent: map[uint32][]time.Time{}, flood: map[uint32]bool{}}
}

// count notes a bad file, and says whether its sender floods, and whether that is new.
func (s *senders) count(id uint32, now time.Time) (flood, begins bool) {
	s.recent[id] = append(within(s.recent[id], now), now)
	if len(s.recent[id]) > floodFiles {
		s.recent[id] = s.recent[id][1:]
	}
	flood = len(s.recent[id]) >= floodFiles
	begins = flood && !s.flood[id]
	s.flood[id] = flood
	return flood, begins
}

// within are the times of the last hour.
func within(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) >= floodTime {
		times = times[1:]
	}
	return times
}

// setAside moves a file away that can never be loaded, with the reason beside it. Files of a sender of many have a
// folder of their own, and one message for all.
func (b *box) setAside(name string, a *aside, now time.Time) error {
	if !a.counted {
		a.File, a.Time, a.counted = name, now.UTC(), true
		var begins bool
		a.flood, begins = b.count(a.Server, now)
		b.countFile(name, "bad")
		if err := b.tellAside(a, begins); err != nil {
			return err
		}
	}
	dir := b.bad
	if a.flood {
		dir = filepath.Join(b.bad, senderFolder(a.Server))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("set %s %s aside: %w", kindOf(name), name, err)
	}
	if err := writeReason(dir, name, a); err != nil {
		return fmt.Errorf("set %s %s aside: %w", kindOf(name), name, err)
	}
	if err := os.Rename(filepath.Join(b.dir, name), filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("set %s %s aside: %w", kindOf(name), name, err)
	}
	delete(b.broken, name)
	return errors.Join(durable.SyncFolder(dir), durable.SyncFolder(b.dir))
}

// tellAside tells of a bad file, and once of a flood of them.
func (b *box) tellAside(a *aside, begins bool) error {
	text := fmt.Sprintf("The %s %s was set aside: %s.", kindOf(a.File), a.File, a.Reason)
	switch {
	case begins:
		text = fmt.Sprintf("%d files of server id %d were set aside within an hour, the last one because: %s. "+
			"They and "+
			"the next ones lie in %s.", floodFiles, a.Server, a.Reason, filepath.Join(b.bad, senderFolder(a.Server)))
	case a.flood:
		return nil
	}
	b.m.log.Warn(kindOf(a.File)+" set aside", "file", a.File, "server_id", a.Server, "reason", a.Reason)
	return b.m.tell(wire.ComponentMessage{Component: wire.ManagerComponent, ID: wire.BadFile, Time: a.Time, Text: text})
}

func senderFolder(id uint32) string {
	if id == 0 {
		return "unknown"
	}
	return fmt.Sprintf("server-%d", id)
}

func writeReason(dir, name string, a *aside) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(dir, name+".reason.json", ".new-", append(text, '\n'), 0o600)
}

// keepBadRows keeps rows that cannot be read, each as a file of its own: a few of a file and an hour, whatever comes.
func (b *box) keepBadRows(file string, server uint32, bad []wire.BadRow, now time.Time) error {
	b.rows = within(b.rows, now)
	for i, row := range bad {
		if i == maxBadRows || len(b.rows) >= floodFiles*maxBadRows {
			break
		}
		b.rows = append(b.rows, now)
		ext := filepath.Ext(file)
		name := fmt.Sprintf("%s.%d%s", strings.TrimSuffix(file, ext), row.Number, ext)
		a := &aside{File: file, Reason: row.Reason, Server: server, Row: row.Number, Time: now.UTC()}
		if err := errors.Join(os.MkdirAll(b.bad, 0o700), writeReason(b.bad, name, a),
			durable.Write(b.bad, name, ".new-", row.Text, 0o600)); err != nil {
			return fmt.Errorf("keep row %d of %s %s: %w", row.Number, kindOf(file), file, err)
		}
	}
	return nil
}
