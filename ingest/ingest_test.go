package ingest

import (
	"testing"

	"statewire/inbox"
	"statewire/smx"
)

func TestMixedFilesLoad(t *testing.T) {
	s := newSite(t)
	s.drop("utf8.SMX", bare(client(1), messages(1, 3)...))
	s.drop("utf16le.smx", smx.EncodeUTF16(nil, bare(client(2), messages(1, 2)...), false))
	s.drop("utf16be.SMX", smx.EncodeUTF16(nil, bare(client(3), messages(1, 1)...), true))
	s.put(inbox.Normal, relayed(t, epoch, bare(client(4), messages(1, 2)...), bare(client(5), messages(7, 9)...)))
	if have, want := s.drain(), (Totals{Files: 4, Messages: 11, Batches: 1}); have != want {
		t.Errorf("have %+v, want %+v", have, want)
	}
	s.expect("SELECT client_id, count(), min(serial), max(serial) FROM state_messages GROUP BY client_id",
		"'"+client(1).UUID()+"',3,1,3", "'"+client(2).UUID()+"',2,1,2", "'"+client(3).UUID()+"',1,1,1",
		"'"+client(4).UUID()+"',2,1,2", "'"+client(5).UUID()+"',3,7,9")
	s.expectEmpty()
}
