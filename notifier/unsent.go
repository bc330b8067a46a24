package notifier

import (
	"slices"

	"statewire/notifier/wire"
)

// unsent is what a client has not been sent yet, in its order. Tasks stand apart: whether one may still leave is asked
// when its turn comes.
type unsent struct {
	parts []part
	bytes int
}

// part is frames, or one task.
type part struct {
	frames []byte
	push   *push
}

func (p part) size() int {
	if p.push != nil {
		return p.push.size()
	}
	return len(p.frames)
}

// add adds frames.
func (u *unsent) add(frames []byte) {
	if len(frames) == 0 {
		return
	}
	u.bytes += len(frames)
	if last := len(u.parts) - 1; last >= 0 && u.parts[last].push == nil {
		u.parts[last].frames = append(u.parts[last].frames, frames...)
		return
	}
	u.parts = append(u.parts, part{frames: slices.Clone(frames)})
}

// put adds a task.
func (u *unsent) put(p *push) {
	u.bytes += p.size()
	u.parts = append(u.parts, part{push: p})
}

// first takes the first part out.
func (u *unsent) first() (p part, ok bool) {
	if u == nil || len(u.parts) == 0 {
		return p, false
	}
	p = u.parts[0]
	u.parts[0] = part{}
	u.parts = u.parts[1:]
	u.bytes -= p.size()
	return p, true
}

// takePushes takes tasks out, and cancellations, too, if all.
func (u *unsent) takePushes(all bool) (pushes []*push) {
	if u == nil {
		return nil
	}
	kept := u.parts[:0]
	for _, p := range u.parts {
		if p.push != nil && (all || p.push.kind == wire.Request) {
			pushes = append(pushes, p.push)
			u.bytes -= p.size()
		} else {
			kept = append(kept, p)
		}
	}
	clear(u.parts[len(kept):])
	u.parts = kept
	return pushes
}

// fits says whether so many more bytes may wait.
func (u *unsent) fits(bytes int) bool { return u == nil || u.bytes+bytes <= maxUnsent }
