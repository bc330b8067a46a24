package smx

import "unsafe"

// arenaChunk is the size of the pieces an arena grows by.
const arenaChunk = 256 << 10

// arena hands out memory that lives until it is rolled back. It never moves what it gave
// out, so strings may point into it.
type arena struct {
	chunks [][]byte // kept
	big    [][]byte // pieces above a quarter of a chunk, dropped by rollback
	at     int      // the chunk in use
	used   int      // bytes of it
}

// arenaMark is a point to go back to.
type arenaMark struct{ big, at, used int }

func (a *arena) mark() arenaMark { return arenaMark{len(a.big), a.at, a.used} }

func (a *arena) rollback(m arenaMark) {
	clear(a.big[m.big:])
	a.big, a.at, a.used = a.big[:m.big], m.at, m.used
}

// take returns n bytes of undefined content.
func (a *arena) take(n int) []byte {
	if n > arenaChunk/4 {
		piece := make([]byte, n)
		a.big = append(a.big, piece)
		return piece
	}
	if a.at < len(a.chunks) && a.used+n > arenaChunk {
		a.at, a.used = a.at+1, 0
	}
	if a.at == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, arenaChunk))
	}
	piece := a.chunks[a.at][a.used : a.used+n : a.used+n]
	a.used += n
	return piece
}

// bytes copies b.
func (a *arena) bytes(b []byte) []byte {
	piece := a.take(len(b))
	copy(piece, b)
	return piece
}

// string copies b.
func (a *arena) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return text(a.bytes(b))
}

// text is b as a string that shares its memory: only for arena memory, which
// nothing changes before that.
func text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}
