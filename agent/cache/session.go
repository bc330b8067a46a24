package cache

import "errors"

// maxSession bounds the sessions of a client, as it bounds serials.
const maxSession = 1 << 62

// mostSkipped is how many sessions a server may skip at once. A machine that was set back to an image of years ago
// lacks fewer, and a server that lied could use up all there are with one answer.
const mostSkipped = 1 << 32

// ErrSession is a session that is too far above the client's own to be believed.
var ErrSession = errors.New("the session is too far above the client's own to be believed")

// NextSession counts a sign-in to the fast channel and returns its number: no other sign-in from this store has it.
func (c store) NextSession() (session uint64, err error) {
	err = c.update(func(s records) error {
		last, err := readSession(s)
		if err != nil {
			return err
		}
		if session = last + 1; session > maxSession {
			return ErrSession
		}
		return keepSession(s, session)
	})
	return session, err
}

// KeepSession makes the last session at least this one: the server knows of it.
func (c store) KeepSession(session uint64) error {
	return c.update(func(s records) error {
		last, err := readSession(s)
		switch {
		case err != nil || session <= last:
			return err
		case session-last > mostSkipped || session >= maxSession:
			return ErrSession
		}
		return keepSession(s, session)
	})
}

func readSession(s records) (uint64, error) {
	record := s.get([]byte{keySession})
	if record == nil {
		return 0, nil
	}
	r := openRecord(record)
	return r.number(), r.done()
}

func keepSession(s records, session uint64) error {
	w := &writer{}
	w.number(session)
	return s.put([]byte{keySession}, w.sealed())
}
