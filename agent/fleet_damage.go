package agent

import (
	"bytes"

	"statewire/smx"
)

// DamagedFile is a file no relay would write: something an operator copied from elsewhere.
type DamagedFile struct {
	Name string
	Data []byte
}

// Damaged returns a few broken *.SMX files to drop into an inbox, so that a page about bad files has content.
func (f *Fleet) Damaged() []DamagedFile {
	sound := f.clients[0].sample()
	utf16 := smx.EncodeUTF16(nil, sound, false)
	return []DamagedFile{
		{"Q7ZKD2MX.SMX", bytes.Replace(sound, []byte("</StateMessage>"), []byte("</StateMessageserParameters>"), 1)},
		{"T3WPL9AB.SMX", utf16[:len(utf16)/2|1]},
		{"M0VEXE5C.SMX", bytes.Replace(sound, []byte("<Report>"), []byte(`<!DOCTYPE Report SYSTEM "report.dtd"><Report>`), 1)},
		{"COPY-OF-LOG.SMX", []byte("Mp Message Handler: FileType=SMX\r\nRelay: Outbox dir: statesys.box\r\n")},
	}
}

// sample is a report nobody sent.
func (c *simulated) sample() []byte {
	s := c.state(event{topic: c.fleet.catalog.contact, state: 1})
	s.Serial = 1
	return c.agent.encode(&Report{States: []State{s}})
}
