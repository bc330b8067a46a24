package inbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"statewire/inbox/disk"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	suffix       = ".SMX"
	reasonSuffix = ".reason.json"
	stampLayout  = "20060102T150405.000000Z" // sorts as the times do
	// maxNameBytes leaves room, within the 255 bytes a file system gives, for what is added to a name in corrupt.
	maxNameBytes = 200
)

// putName is the name of a file that Put writes: when it was received, and its bytes' hash.
func putName(at time.Time, sum [sha256.Size]byte) string {
	return at.UTC().Format(stampLayout) + "-" + hex.EncodeToString(sum[:]) + suffix
}

// parsePutName undoes putName.
func parsePutName(name string) (at time.Time, sum [sha256.Size]byte, ok bool) {
	const stamp, digest = len(stampLayout), 2 * sha256.Size
	if len(name) != stamp+1+digest+len(suffix) || name[stamp] != '-' || name[stamp+1+digest:] != suffix {
		return time.Time{}, sum, false
	}
	if _, err := hex.Decode(sum[:], []byte(name[stamp+1:stamp+1+digest])); err != nil {
		return time.Time{}, sum, false
	}
	at, err := time.Parse(stampLayout, name[:stamp])
	return at, sum, err == nil
}

// IsPutName tells, as cheaply as a million names need, whether a name is of the form that Put gives: a time and a hash.
// No other file has such a name.
func IsPutName(name string) bool {
	_, _, ok := parsePutName(name)
	return ok
}

// IsReplayName tells whether a name is of the form that Replay gives.
func IsReplayName(name string) bool {
	_, _, ok := parseReplayName(name)
	return ok
}

// foreign says why an entry of a lane is no SMX file: dir, symlink, fifo, socket, device, hidden, tmp or suffix. It
// returns "" for one that is.
func foreign(e disk.Entry) string {
	switch lower := strings.ToLower(e.Name); {
	case e.Kind != disk.Regular:
		return e.Kind
	case strings.HasPrefix(lower, "."):
		return "hidden"
	case strings.HasSuffix(lower, ".tmp"):
		return "tmp"
	case !isReport(e.Name):
		return "suffix"
	}
	return ""
}

// isReport tells whether a name ends as a report's does: .SMX, or .SMW for a copy from a child site, in any case.
func isReport(name string) bool {
	ext := filepath.Ext(name)
	return strings.EqualFold(ext, suffix) || strings.EqualFold(ext, ".SMW")
}

// spelled returns the name a file from elsewhere gets in a lane: its own, unless that would be left alone there or is
// too long to be set aside under. A relay's name over other bytes stays, so that the loader sees the damage and sets
// the file aside; who has edited one on purpose gives it a name of their own.
func spelled(name string) string {
	if name = strings.TrimLeft(name, "."); name == "" {
		name = "report"
	}
	if !isReport(name) {
		name += suffix
	}
	return shortened(name)
}

// repaired returns the name under which a file from corrupt is tried again: when somebody changed its bytes on purpose,
// one that no longer claims the hash of the old ones.
func repaired(name string, sum [sha256.Size]byte) string {
	if _, want, ok := parsePutName(name); ok && want != sum {
		return shortened("edited-" + name)
	}
	return name
}

// replayMark stands in the name of a file that is tried again, between the name it has in corrupt and its token.
const replayMark = ".again-"

// replayName is the name under which what lies in corrupt is tried again.
func replayName(of, token string) string { return of + replayMark + token + suffix }

// parseReplayName undoes replayName.
func parseReplayName(name string) (of, token string, ok bool) {
	at := len(name) - len(suffix) - 2*tokenBytes
	if at <= len(replayMark) || name[len(name)-len(suffix):] != suffix || !strings.HasSuffix(name[:at], replayMark) {
		return "", "", false
	}
	return name[:at-len(replayMark)], name[at : len(name)-len(suffix)], true
}

// shortened cuts a name to maxNameBytes, keeping its ending and telling it from others cut alike.
func shortened(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	ext := filepath.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	cut := maxNameBytes - len(ext) - 17
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return fmt.Sprintf("%s~%x%s", name[:cut], sum[:8], ext)
}

// numberedNames is how many names near tries in order; those after them are random, and so as good as free.
const numberedNames = 9

// near is the n-th name to try when the ones before are taken: NAME.SMX, NAME~2.SMX … NAME~9.SMX, then random ones.
func near(name string, n int) string {
	if n == 0 {
		return name
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if n < numberedNames {
		return fmt.Sprintf("%s~%d%s", stem, n+1, ext)
	}
	return fmt.Sprintf("%s~%08x%s", stem, rand.Uint32(), ext)
}
