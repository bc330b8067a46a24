package fleet

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"

	"statewire/agent/cache"
	"statewire/smx"
)

// damageKind is what is wrong with a record.
type damageKind uint8

const (
	none        damageKind = iota
	badTime                // the month is 13
	badState               // the state id is larger than 32 bits
	badTopic               // the topic type is no number
	wrongSerial            // the serial can't be read: it counts as never arrived
	damageKinds
)

// damage is one faulty record of a report.
type damage struct {
	kind  damageKind
	index int
}

var intact = damage{}

// damageRecord returns the report with one record that no site can load, in an otherwise sound document.
func damageRecord(r *rand.Rand, body []byte, report *cache.Report) ([]byte, damage) {
	d := damage{kind: 1 + damageKind(r.IntN(int(damageKinds)-1)), index: r.IntN(len(report.States))}
	from, to := recordAt(body, d.index)
	if to < 0 {
		return body, intact
	}
	s := &report.States[d.index]
	var was, now []byte
	switch d.kind {
	case badTime:
		was = smx.AppendTime(nil, s.Time)
		now = slices.Clone(was)
		copy(now[4:], "13")
	case badState:
		was, now = []byte(`<State ID="`), []byte(`<State ID="99999999999`)
	case badTopic:
		was = strconv.AppendUint([]byte(`Type="`), uint64(s.TopicType), 10)
		now = []byte(`Type="none`)
	case wrongSerial:
		was = strconv.AppendUint([]byte(`SerialNumber="`), s.Serial, 10)
		now = append([]byte(`SerialNumber="+`), was[len(`SerialNumber="`):]...)
	}
	at := bytes.Index(body[from:to], was)
	if at < 0 {
		return body, intact
	}
	return slices.Concat(body[:from+at], now, body[from+at+len(was):]), d
}

// recordAt is where the report's StateMessage at an index stands; to is -1 if it has none.
func recordAt(body []byte, index int) (from, to int) {
	const opens, closes = "<StateMessage ", "</StateMessage>"
	for i := 0; ; i++ {
		at := bytes.Index(body[from:], []byte(opens))
		end := bytes.Index(body[from:], []byte(closes))
		if at < 0 || end < at {
			return 0, -1
		}
		if i == index {
			return from + at, from + end
		}
		from += end + len(closes)
	}
}
