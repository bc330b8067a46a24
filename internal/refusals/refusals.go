// Package refusals is the file in which a relay notes the last report that it refused of each client. Whoever reads it
// never sees it half written.
package refusals

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// FileName is the file's name in the folder of what belongs to running processes.
const FileName = "refused-reports.json"

// Refusal is the last report of one client that the relay refused, as the client was told.
type Refusal struct {
	Slot   uint32 `json:"slot"`   // its place in the relay's list; the next refusal there replaces it
	Change uint64 `json:"change"` // grows with every change of the list
	Client string `json:"client"` // UUID
	// a certificate proved the client; otherwise the report named it, and nobody knows who sent it
	Verified bool      `json:"verified"`
	Name     string    `json:"name"`    // the computer's name in the report, as far as it was read
	Address  string    `json:"address"` // who sent it: an IPv4 address or an IPv6 /64
	Time     time.Time `json:"time"`
	Code     string    `json:"code"`
	Status   int       `json:"status"` // of HTTP
	Line     int       `json:"line"`   // of the report; 0 where the code has no place
	Column   int       `json:"column"`
	Detail   string    `json:"detail"`
	Retry    bool      `json:"retry"` // the client was told to send the same bytes again
	Count    int       `json:"count"` // of its reports refused since one was taken
	Taken    time.Time `json:"taken"` // when the relay took a report of the client after it; zero: not yet
}

// Over says that the relay has taken a report of the client since.
func (r Refusal) Over() bool { return !r.Taken.IsZero() }

// list is the file.
type list struct {
	Refused []Refusal `json:"refused"`
}

// Read returns what is in a file, none when there is no file.
func Read(path string) ([]Refusal, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var l list
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return nil, fmt.Errorf("read what the relay refused: %s: %w", path, err)
	}
	return l.Refused, nil
}

// Write replaces a file. It is whole and on the disk when Write returns nil; an error leaves the one before.
func Write(path string, refused []Refusal) error {
	text, err := json.Marshal(list{refused})
	if err == nil {
		err = replace(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write what the relay refused: %w", err)
	}
	return nil
}

func replace(path string, text []byte) error {
	unfinished := path + ".new" // one relay writes it
	f, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(path)); err == nil && info.Mode()&os.ModeSetgid != 0 &&
		info.Mode().Perm()&0o050 == 0o050 {
		_ = f.Chmod(0o640) // the folder's group is to read it: the site's other processes are of another user
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}
