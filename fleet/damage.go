package fleet

import (
	"bytes"

	"statewire/agent/cache"
	"statewire/smx"
)

// DamagedFile is a file no relay would write: something an operator copied from elsewhere.
type DamagedFile struct {
	Name string
	Data []byte
}

// mended and damaged are one end tag, as it was and as it is in a damaged file.
const (
	mendedTag  = "</StateMessage>"
	damagedTag = "</StateMessageserParameters>"
)

// Spoils tells whether a report of the past is the one that reaches the site as a damaged file and no other way, so
// that mending it closes a gap. It is the second of the first client that has been silent since, whom nobody can ask
// again. The caller of History leaves it out; Damaged has it.
func (f *Fleet) Spoils(r *PastReport) bool {
	if f.spoiled != nil || r.Client != f.unlucky().machine.id.Client {
		return false
	}
	f.passed++
	if f.passed < 2 {
		return false
	}
	f.spoiled = bytes.Clone(r.Body)
	return true
}

func (f *Fleet) unlucky() *simulated {
	for _, c := range f.clients {
		if c.silentFor > 0 {
			return c
		}
	}
	return f.clients[0]
}

// Damaged returns a few broken *.SMX files to drop into an inbox, so that a page about bad files has content. Call it
// after History.
func (f *Fleet) Damaged() []DamagedFile {
	sound := f.clients[0].sample()
	spoiled := f.spoiled
	if spoiled == nil {
		spoiled = sound
	}
	utf16 := smx.EncodeUTF16(nil, sound, false)
	return []DamagedFile{
		{"Q7ZKD2MX.SMX", bytes.Replace(spoiled, []byte(mendedTag), []byte(damagedTag), 1)},
		{"T3WPL9AB.SMX", utf16[:len(utf16)/2|1]},
		{"M0VEXE5C.SMX", bytes.Replace(sound, []byte("<Report>"),
			[]byte(`<!DOCTYPE Report SYSTEM "report.dtd"><Report>`), 1)},
		{"COPY-OF-LOG.SMX", []byte("Mp Message Handler: FileType=SMX\r\nRelay: Outbox dir: statesys.box\r\n")},
	}
}

// sample is a report nobody sent. Its message has no serial: mended and loaded, it contradicts none of the client's
// own.
func (c *simulated) sample() []byte {
	s := c.state(event{topic: c.fleet.catalog.contact, state: 1})
	return c.agent.Encode(&cache.Report{States: []cache.State{s}})
}
