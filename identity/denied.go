package identity

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// deniedFile lists whose certificates are refused though they have not expired. Relays and notifiers read it.
const deniedFile = "denied"

// Denied is up to which number the certificates of a caller are refused, by Caller.Key.
type Denied map[string]uint64

// below joins a caller and a number in a line of the file.
const below = " below "

// Holds says whether the caller's certificate is refused.
func (d Denied) Holds(c Caller) bool { return c.Number < d[c.Key()] }

// text is the file: one line for each caller, in their order.
func (d Denied) text() []byte {
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(d)) {
		fmt.Fprintf(&b, "%s%s%d\n", key, below, d[key])
	}
	return b.Bytes()
}

// DeniedText is the list as one machine gives it to another.
type DeniedText struct {
	Text []byte
	// Version tells one list from another, on every machine and after every restart alike; it is never 0.
	Version uint64
}

func deniedText(d Denied) DeniedText {
	text := d.text()
	sum := sha256.Sum256(text)
	return DeniedText{Text: text, Version: max(1, binary.BigEndian.Uint64(sum[:])>>1)}
}

// readDenied reads the file. One that is not there denies nobody; a line that cannot be read is an error, because what
// it denies is not known.
func readDenied(path string) (Denied, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Denied{}, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := parseDenied(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}

func parseDenied(text []byte) (Denied, error) {
	d := Denied{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		key, number, ok := strings.Cut(lines.Text(), below)
		under, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil || key == "" {
			return nil, fmt.Errorf("line %d is not CLIENT below NUMBER: %.100q", n, lines.Text())
		}
		d[key] = max(d[key], under)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, errors.New("the last line is cut")
	}
	return d, nil
}
