package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"statewire/internal/refusals"
)

func TestRefusedReportsAreCopiedOnceAndAgainWhenTheyChange(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(t.TempDir(), refusals.FileName)
	s.deps.Refused = file
	write := func(list ...refusals.Refusal) {
		t.Helper()
		if err := refusals.Write(file, list); err != nil {
			t.Fatal(err)
		}
	}
	base := uint64(time.Now().Add(-time.Hour).UnixMicro())
	refusal := func(slot uint32, change uint64, n int, code string) refusals.Refusal {
		return refusals.Refusal{Slot: slot, Change: change, Client: client(n).UUID(), Name: fmt.Sprint("PC", n),
			Address: "10.0.0.1", Code: code, Status: 413,
			Line: 7, Column: 8, Detail: "why", Count: n, Time: time.UnixMicro(int64(change)).UTC()}
	}
	const all = "SELECT slot, netbios_name, code, toUnixTimestamp64Micro(taken_time) = change FROM refused_reports FINAL"
	const rows = "SELECT count() FROM refused_reports"
	s.drain() // there is no file
	s.expect(all)
	write(refusal(0, base+1, 1, "xml_syntax"), refusal(1, base+2, 2, "too_large"),
		refusals.Refusal{Slot: 3, Client: "none", Change: 9})
	l := s.loader()
	for range 2 {
		l.copyRefusedNow(t.Context())
		s.expect(rows, "2")
	}
	s.expect("SELECT client_id, verified, address, toUnixTimestamp64Micro(refused_time) = change, status, line, "+
		"column, detail, retry, refusals, taken_time FROM refused_reports WHERE slot = 1",
		fmt.Sprintf("'%s',false,'10.0.0.1',1,413,7,8,'why',false,2,NULL", client(2).UUID()))
	over := refusal(0, base+3, 1, "xml_syntax")
	over.Taken = time.UnixMicro(int64(base + 3)).UTC()
	write(over, refusal(1, base+2, 2, "too_large"))
	l.copyRefusedNow(t.Context())
	s.expect(rows, "3")
	s.expect(all, "0,'PC1','xml_syntax',1", "1,'PC2','too_large',NULL")
	s.drain() // another loader knows what is stored
	s.expect(rows, "3")
	write(over, refusal(1, base+4, 5, "bad_date"))
	s.drain()
	s.expect(all, "0,'PC1','xml_syntax',1", "1,'PC5','bad_date',NULL")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expectTotals(Totals{}) // a bad file keeps nothing from being loaded
	s.expect(rows, "4")
}
