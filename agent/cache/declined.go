package cache

import (
	"errors"
	"fmt"
	"time"

	"statewire/internal/serials"
	"statewire/smx"
)

// ErrUsedUp is what giving a serial ends with when there is none left. The client goes on holding what it has.
var ErrUsedUp = fmt.Errorf("this client's serials are used up at %d, and no state of it can reach a site any more; "+
	"give it a new client id with `statewire agent new-id`", uint64(smx.MaxSerial))

// Declined is a serial to continue from that a policy named and the client did not take.
type Declined struct {
	NextSerial uint64 // 0 = none was
	Number     uint32 // of the resync
	Time       time.Time
}

// jumps tells whether a serial to continue from is too far above the client's last one to be believed: a relay that
// lies, or a site that believed somebody's lie, could use up all serials with one policy.
func jumps(next, last uint64) bool {
	return next > smx.MaxSerial || serials.Jumps(next, last)
}

// keepDeclined notes a serial that was declined, or, with a zero one, that the latest request's was not.
func keepDeclined(s records, d Declined) error {
	if d.NextSerial == 0 {
		return s.delete([]byte{keyDeclined})
	}
	w := &writer{}
	w.number(d.NextSerial)
	w.number(uint64(d.Number))
	w.time(d.Time)
	return s.put([]byte{keyDeclined}, w.sealed())
}

// readDeclined is the serial that was declined last, unless the client has come near it since.
func readDeclined(s records, m meta) (Declined, error) {
	record := s.get([]byte{keyDeclined})
	if record == nil {
		return Declined{}, nil
	}
	r := openRecord(record)
	d := Declined{NextSerial: r.number(), Number: uint32(r.number()), Time: r.time()}
	if !jumps(d.NextSerial, m.serial) {
		return Declined{}, r.done()
	}
	return d, r.done()
}

// AcceptSerial makes the client continue from a serial that it declined, and begins to send the whole cache again from
// there.
func (c store) AcceptSerial(next uint64) error {
	var refused error // not a fault of the disk, as what change returns is
	err := c.change(func(s records, m *meta) error {
		d, err := readDeclined(s, *m)
		switch {
		case err != nil:
			return err
		case d.NextSerial == 0:
			refused = errors.New("no serial was declined: there is nothing to accept")
		case d.NextSerial != next:
			refused = fmt.Errorf("the serial that was declined is %d: name that one", d.NextSerial)
		case next > smx.MaxSerial:
			refused = ErrUsedUp
		default:
			m.serial = next - 1
			return errors.Join(keepDeclined(s, Declined{}), beginAnswer(s, m))
		}
		return nil
	})
	return errors.Join(refused, err)
}
