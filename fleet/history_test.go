package fleet

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"statewire/smx"
)

func TestHistoryIsOldAndInOrder(t *testing.T) {
	f := makeFleet(t, testFleet(300), newSite(t))
	var last time.Time
	old, reports := 0, 0
	err := f.History(t.Context(), func(batch []PastReport) error {
		for _, r := range batch {
			if r.Received.Before(last.Add(-time.Hour)) || !r.Received.Before(f.clock.at(0)) || r.Messages == 0 {
				t.Errorf("report received %v with %d messages, after one of %v", r.Received, r.Messages, last)
			}
			last = r.Received
			reports++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.clients {
		if c.silentFor > 7*simulatedDay {
			old++
		}
	}
	if reports < 3*len(f.clients) || old == 0 {
		t.Errorf("%d reports of %d clients, %d of them long silent", reports, len(f.clients), old)
	}
}

func TestDamagedFilesAreRefusedWhole(t *testing.T) {
	f := makeFleet(t, testFleet(20), newSite(t))
	var left []PastReport
	err := f.History(t.Context(), func(batch []PastReport) error {
		for i := range batch {
			if f.Spoils(&batch[i]) {
				batch[i].Body = slices.Clone(batch[i].Body)
				left = append(left, batch[i])
			}
		}
		return nil
	})
	if err != nil || len(left) != 1 {
		t.Fatalf("%d reports of the past arrive damaged only: %v", len(left), err)
	}
	codes := map[string]bool{}
	for _, file := range f.Damaged() {
		var batch smx.Batch
		err := smx.NewDecoder().Decode(file.Data, &batch)
		fault, ok := err.(*smx.Error)
		if !ok || codes[fault.Code] {
			t.Errorf("%s: %v; want a refusal of its own kind", file.Name, err)
			continue
		}
		codes[fault.Code] = true
	}
	// Mending the first brings what its client never got through otherwise.
	mended := bytes.Replace(f.Damaged()[0].Data, []byte(damagedTag), []byte(mendedTag), 1)
	var batch smx.Batch
	if err := smx.NewDecoder().Decode(mended, &batch); err != nil || batch.Len() != left[0].Messages ||
		batch.Reports[0].Client != left[0].Client ||
		slices.Min(batch.Serial) <= 1 {
		t.Errorf("mended: %v, %d messages with serials %v of %v; want %d of %v",
			err, batch.Len(), batch.Serial, batch.Reports, left[0].Messages, left[0].Client)
	}
	for _, c := range f.clients {
		if c.machine.id.Client == left[0].Client && c.silentFor == 0 {
			t.Error("the client of the damaged report is not silent: it may send it again")
		}
	}
}
