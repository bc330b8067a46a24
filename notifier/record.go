package notifier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// record is one result in the spool: a mark, the length of what follows the checksum, the checksum, then the client,
// the time and the response as it came.
type record struct {
	client   uuid.UUID
	at       time.Time // when it came, by this server's clock
	payload  []byte
	response wire.ResponseMessage
}

const (
	recordMark  = "SWR1"
	recordHead  = len(recordMark) + 4 + 4
	recordFixed = 16 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r record) size() int { return recordHead + recordFixed + len(r.payload) }

// encode adds the record to out.
func (r record) encode(out []byte) []byte {
	out = append(out, recordMark...)
	out = binary.BigEndian.AppendUint32(out, uint32(recordFixed+len(r.payload)))
	sum := len(out)
	out = append(out, 0, 0, 0, 0)
	out = append(out, r.client[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(r.at.UnixMilli()))
	out = append(out, r.payload...)
	binary.BigEndian.PutUint32(out[sum:], crc32.Checksum(out[sum+4:], castagnoli))
	return out
}

// row is what the record tells.
func (r record) row() wire.Result {
	m := r.response
	return wire.Result{Task: m.Task, TaskID: m.TaskID, Push: m.Push, Client: r.client, Step: m.Step, Code: m.Code,
		Detail: m.Detail, ExitCode: m.ExitCode, Received: r.at, Started: m.Started, Finished: m.Finished, Output: m.Output}
}

// records are what a file of the spool holds. Damaged says that bytes between or behind them are none; the end of a
// record that was being written when the machine stopped is no damage.
func records(data []byte) (all []record, damaged bool) {
	for len(data) > 0 {
		r, size, cut := readRecord(data)
		if size > 0 {
			all, data = append(all, r), data[size:]
			continue
		}
		next := bytes.Index(data[1:], []byte(recordMark))
		if next < 0 {
			return all, damaged || !cut
		}
		damaged = true
		data = data[1+next:]
	}
	return all, damaged
}

// readRecord reads the record at the beginning of data. A size of 0 says that there is none; cut, that one may have
// begun there and the file ends within it.
func readRecord(data []byte) (r record, size int, cut bool) {
	if len(data) < recordHead {
		return r, 0, true
	}
	length := int64(binary.BigEndian.Uint32(data[len(recordMark):]))
	if string(data[:len(recordMark)]) != recordMark || length < recordFixed || length > recordFixed+wire.MaxFrame {
		begun := bytes.TrimRight(data, "\x00") // what was never written may be zeros
		return r, 0, len(begun) < recordHead && begins(begun)
	}
	if size = recordHead + int(length); size > len(data) {
		return r, 0, true
	}
	body := data[recordHead:size]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(data[recordHead-4:]) {
		return r, 0, len(bytes.TrimRight(data, "\x00")) < size
	}
	copy(r.client[:], body)
	r.at = time.UnixMilli(int64(binary.BigEndian.Uint64(body[16:]))).UTC()
	r.payload = body[recordFixed:]
	var err error
	if r.response, err = wire.DecodeResponse(r.payload); err != nil || r.client == uuid.Nil {
		return r, 0, false
	}
	return r, size, false
}

// begins says whether a record may begin so.
func begins(data []byte) bool {
	n := min(len(data), len(recordMark))
	return string(data[:n]) == recordMark[:n]
}

// open takes up what an earlier run left. What cannot be read is set aside, and keeps nothing from starting.
func (p *spool) open() {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.s.log.Error("results of earlier runs cannot be looked for", "spool", p.dir, "err", err)
		return
	}
	results := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), segmentName) {
			results += p.take(filepath.Join(p.dir, e.Name()))
		}
	}
	if results > 0 {
		p.s.log.Info("results of an earlier run are told again", "count", results)
	}
	p.s.metrics.spooled.Set(float64(p.size))
}

// take takes up one file, and says how many results it holds.
func (p *spool) take(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		p.setAside(path, err)
		return 0
	}
	all, damaged := records(data)
	switch {
	case damaged && len(all) == 0:
		p.setAside(path, errors.New("no result in it can be read"))
		return 0
	case damaged:
		p.s.log.Error("a file of results is damaged; what can be read of it is told, and the file is kept for you to see",
			"path", path, "read", len(all), "kept_as", aside(path))
	case len(all) == 0:
		os.Remove(path)
		return 0
	}
	seg := &segment{path: path, good: int64(len(data)), of: map[uuid.UUID]int64{}, damaged: damaged}
	rows := make([]wire.Result, 0, len(all))
	for _, r := range all {
		seg.of[r.client] += int64(r.size())
		p.used[r.client] += int64(r.size())
		rows = append(rows, r.row())
	}
	p.size += seg.good
	p.sealed = append(p.sealed, seg)
	p.s.results.durable(rows)
	return len(all)
}

// setAside renames a file that cannot be read.
func (p *spool) setAside(path string, why error) {
	err := os.Rename(path, aside(path))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		why = fmt.Errorf("%w; and it cannot be renamed: %w", why, err)
	}
	p.s.log.Error("a file of results cannot be read; it is set aside, and the notifier goes on", "path", path,
		"kept_as", aside(path), "err", why)
}
