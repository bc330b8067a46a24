package policy

import (
	"bytes"
	"encoding/json"
)

// tasks are the envelopes of lasting tasks, as they stand there. What they say is for who holds the keys.
func (r *reader) tasks() (envelopes [][]byte) {
	size := 0
	for _, e := range children(r.root, "Task") {
		envelope := r.textOf(e, rootName)
		if envelope != nil && !json.Valid(envelope) {
			r.fail("a Task that is no JSON")
		}
		size += len(envelope)
		envelopes = append(envelopes, envelope)
	}
	if len(envelopes) > MaxTasks || size > MaxTaskBytes {
		r.fail("%d tasks with %d bytes; allowed are %d with %d", len(envelopes), size, MaxTasks, MaxTaskBytes)
	}
	return envelopes
}

// FitTasks are as many of the envelopes, the first first, as a policy document may carry beside what stands in it.
func (p Document) FitTasks(envelopes [][]byte) (fit [][]byte) {
	if len(envelopes) == 0 {
		return nil
	}
	p.Tasks = nil
	const frame, slack = len("  <Task></Task>\n"), 1 << 10
	size, room := 0, MaxBytes-slack-len(Encode(p))
	for _, envelope := range envelopes {
		n := len(envelope)
		if n > MaxTrustBytes || size+n > MaxTaskBytes || n+frame > room {
			continue
		}
		if !json.Valid(envelope) || bytes.ContainsAny(envelope, "<>&") { // no envelope of a site, and longer as XML
			continue
		}
		if fit = append(fit, envelope); len(fit) == MaxTasks {
			break
		}
		size, room = size+n, room-n-frame
	}
	return fit
}
