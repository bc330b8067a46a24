package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"statewire/internal/durable"

	"golang.org/x/mod/sumdb/note"
)

// headInterval is how often a head is signed at most.
const headInterval = time.Second

// Head is a signed statement of what the log ends with.
type Head struct {
	Time time.Time // of the line, by the clock of the log; of a head that was read, when it was written
	Seq  uint64    // 0 before the first line
	Hash string    // hex SHA-256 of the line, without its end
	Note string    // origin, seq and hash with the signature, as in the file
}

// scheduleHead has a head signed for what is on the disk now. The caller holds writing.
func (l *Log) scheduleHead(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = Head{Time: now.UTC(), Seq: l.seq, Hash: l.sum}
	if l.timer != nil || l.closed {
		return
	}
	l.timing.Add(1)
	l.timer = time.AfterFunc(max(0, headInterval-time.Since(l.headAt)), func() {
		defer l.timing.Done()
		if err := l.writeHead(); err != nil {
			l.log.Error("head of the audit log not written", "err", err)
		}
	})
}

// writeHead signs the last line and replaces the head.
func (l *Log) writeHead() error {
	l.heads.Lock()
	defer l.heads.Unlock()
	l.mu.Lock()
	h := l.last
	l.timer, l.headAt = nil, time.Now()
	l.mu.Unlock()
	if h.Seq == l.headLast && h.Seq > 0 {
		return nil
	}
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), h.Seq, h.Hash)}, l.signer)
	if err == nil {
		err = durable.Write(l.dir, headFile, tempPrefix, text, 0o600)
	}
	if err != nil {
		l.metrics.failures.Inc()
		return fmt.Errorf("sign the last line: %w", err)
	}
	h.Note, l.headLast = string(text), h.Seq
	if l.copy != nil {
		l.copy(h)
	}
	return nil
}

var hexSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// openHead reads a head that the verifier's key signed.
func openHead(text []byte, v note.Verifier) (Head, error) {
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Head{}, fmt.Errorf("its signature is not of %s: %w", v.Name(), err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() || !hexSum.MatchString(lines[2]) {
		return Head{}, errors.New("it is signed, and no head of this log")
	}
	seq, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return Head{}, errors.New("it is signed, and its number is none")
	}
	return Head{Seq: seq, Hash: lines[2], Note: string(text)}, nil
}

var keyName = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// openKey reads the key that signs heads, and makes it where no line was ever written.
func openKey(dir, site string) (note.Signer, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		if names, err := monthFiles(dir); err != nil || len(names) > 0 {
			return nil, errors.Join(err, fmt.Errorf("%s is missing, and the log has lines: restore it from a backup, or "+
				"move the folder away to begin a new log", filepath.Join(dir, keyFile)))
		}
		text, err = newKey(dir, site)
	}
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s is no key (%w): restore it from a backup", filepath.Join(dir, keyFile), err)
	}
	return signer, nil
}

func newKey(dir, site string) ([]byte, error) {
	name := "statewire/audit"
	if site = keyName.ReplaceAllString(site, "-"); site != "" {
		name = "statewire/" + site + "/audit"
	}
	key, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return nil, err
	}
	return []byte(key + "\n"), durable.Write(dir, keyFile, tempPrefix, []byte(key+"\n"), 0o600)
}

// VerifierKey is the public half of the key in dir: NAME+HASH+KEY. Whoever keeps it elsewhere needs to trust no file of
// the site.
func VerifierKey(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return "", err
	}
	// as note.NewSigner reads it: PRIVATE+KEY+NAME+HASH+KEY
	parts := strings.Split(strings.TrimSpace(string(text)), "+")
	bad := fmt.Errorf("%s is no key: restore it from a backup", filepath.Join(dir, keyFile))
	if len(parts) < 5 {
		return "", bad
	}
	seed, err := base64.StdEncoding.DecodeString(strings.Join(parts[4:], "+"))
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", bad
	}
	public, _ := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
