package resync

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/smx/policy"
)

// holds stores that a report of now brought a state of a client.
func (b *bench) holds(c smx.ClientID, serial, hash uint64) {
	b.t.Helper()
	id := []uuid.UUID{uuid.UUID(c)}
	for _, insert := range []struct {
		sql     string
		columns []any
	}{
		{`INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, payload_hash)`,
			[]any{id, []uint64{serial}, []time.Time{b.now}, []uint32{500}, []string{"a"}, []uint64{hash}}},
		{`INSERT INTO client_stats_data (client_id, last_report_time)`, []any{id, []time.Time{b.now}}},
	} {
		if err := b.db.Insert(b.t.Context(), insert.sql, insert.columns...); err != nil {
			b.t.Fatal(err)
		}
	}
	b.arrive(c, serial, serial)
}

// said is a poll of a client that holds one state and has sent everything.
func (b *bench) said(c smx.ClientID, last, hash uint64) *policy.Resync {
	b.t.Helper()
	document, _, err := b.told.Policy(b.t.Context(),
		smx.Poll{Client: c, LastSerial: last, States: 1, Digest: smx.StateDigest(0, hash)})
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := policy.Decode(document)
	if err != nil {
		b.t.Fatal(err)
	}
	return p.Resync
}

// A machine is set back by more than a million serials: none is missing, its claim is no jump, and its agent declines
// the serial that the site names. The site finds it by the states and asks once: another answer would change as little.
// The mark stays until a person has the serial accepted.
func TestARollbackOfMoreThanAMillionIsFoundByTheStates(t *testing.T) {
	cfg := DefaultConfig()
	b := newBench(t, cfg)
	c := client(1)
	b.arrive(c, 1, 2_500_000)
	b.holds(c, 2_500_001, 77)
	b.check(CheckOptions{})
	b.wait(time.Hour)
	b.equal("before", b.said(c, 2_500_001, 77) == nil, true)
	b.equal("equal", b.check(CheckOptions{}).Gaps.Differs, 0)
	b.wait(time.Hour)
	b.said(c, 1_000_000, 55) // set back: an older state, an older serial, nothing unsent
	r := b.check(CheckOptions{})
	b.equal("found", []any{r.Gaps.Differs, r.Gaps.Ranges, r.Gaps.Jumps, r.Gaps.Aside, r.IssuedTotal},
		[]any{1, 0, 0, 0, 1})
	b.equal("asked", []any{r.Issued[0].Reason, r.Issued[0].NextSerial}, []any{gaps.Differs, 2_500_002})
	b.equal("its policy", b.said(c, 1_000_000, 55).NextSerial, 2_500_002)
	b.wait(time.Minute)
	b.complete(c, 1_000_001, 1_000_002) // it declined, and answered under its own serials
	b.wait(time.Hour)
	b.said(c, 1_000_002, 55)
	b.equal("it still differs", b.check(CheckOptions{}).Gaps.Differs, 1)
	b.wait(cfg.MergeInterval)
	b.said(c, 1_000_002, 55)
	r = b.check(CheckOptions{})
	b.equal("shown, not asked again", []any{r.IssuedTotal, r.Gaps.Differs, r.Gaps.Messages}, []any{0, 1, 0})
	b.holds(c, 2_500_002, 55) // a person had the serial accepted
	b.complete(c, 2_500_002, 2_500_003)
	b.wait(time.Hour)
	b.said(c, 2_500_003, 55)
	r = b.check(CheckOptions{})
	b.equal("equal again", []any{r.Gaps.Differs, r.Gaps.Ranges, r.Outstanding}, []any{0, 0, 0})
	b.wait(cfg.MergeInterval)
	b.equal("and left alone", b.check(CheckOptions{}).IssuedTotal, 0)
}
