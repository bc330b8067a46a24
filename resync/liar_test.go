package resync

import (
	"math/rand/v2"
	"testing"
	"time"

	"statewire/smx"
)

// Ten thousand polls of one liar, and one each of ten thousand ids that nobody knows: a row per id at most, no client,
// no request before the minimum age and never more than the bound; and who is known and has gaps is asked all the same.
func TestLyingPollsStayWithinBounds(t *testing.T) {
	const liars = 10_000
	cfg := DefaultConfig()
	cfg.MaxOutstanding = 20
	b := newBench(t, cfg)
	b.arrive(client(1), 5, 9)
	b.check(CheckOptions{})
	random := rand.New(rand.NewPCG(1, 2))
	lie := func(c smx.ClientID) {
		t.Helper()
		serial := [...]uint64{0, 1, 10, 1_000_000, 1_000_001, smx.MaxSerial - 1, smx.MaxSerial,
			random.Uint64N(smx.MaxSerial)}[random.IntN(8)]
		p := smx.Poll{Client: c, LastSerial: serial, States: random.Uint32(), Digest: random.Uint64(),
			Unsent: random.Uint32N(2)}
		if _, _, err := b.told.Policy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for n := range liars {
		lie(client(2))
		lie(client(1000 + n))
	}
	if _, _, err := b.told.Policy(t.Context(), smx.Poll{Client: client(2), LastSerial: smx.MaxSerial + 1}); err == nil {
		t.Error("a claim behind the end is answered")
	}
	b.equal("on their way to the store", len(b.offers.claims), liars+1)
	b.equal("none is asked", b.check(CheckOptions{}).IssuedTotal, 0)
	for table, most := range map[string]uint64{"clients": 0, "SR_ClientMessageStats": 1, "client_claims": liars + 1,
		"client_caches": liars + 1, "claims_aside": liars + 1} {
		column := "client_id"
		if table == "SR_ClientMessageStats" {
			column = "ClientID"
		}
		if got := b.count("SELECT uniqExact(" + column + ") FROM " + table); got > most {
			t.Errorf("%s has %d clients, more than %d", table, got, most)
		}
	}
	b.equal("one row per id and poll", b.count("SELECT count() FROM client_claims FINAL") <= liars+1, true)
	b.equal("on their way after a check", len(b.offers.claims), 0)
	b.wait(cfg.MinMissingMessageAge + time.Hour)
	r := b.check(CheckOptions{})
	b.equal("the bound", []any{r.IssuedTotal, r.Outstanding}, []any{cfg.MaxOutstanding, cfg.MaxOutstanding})
	if _, ok := issuedTo(r)[client(1).UUID()]; !ok {
		t.Error("who is known is not asked")
	}
}
