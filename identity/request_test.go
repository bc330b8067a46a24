package identity

import (
	"encoding/pem"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func FuzzCSR(f *testing.F) {
	f.Add(csr(f))
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{0x30, 0}})))
	f.Fuzz(func(t *testing.T, text string) {
		key, _, err := readCSR(text)
		if err == nil && strongKey(key) != nil {
			t.Fatal("a weak key was taken")
		}
	})
}

func TestGuessersAreBoundedByTheirNetwork(t *testing.T) {
	g, now := newGuesses(), time.Unix(1_800_000_000, 0)
	for i := range 5 {
		g.wrong(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1)), now)
	}
	for text, waits := range map[string]bool{"2001:db8::9": true, "2001:db8::1%eth0": true, "2001:db8:0:1::1": false} {
		if wait := g.wait(netip.MustParseAddr(text), now); (wait > 0) != waits {
			t.Errorf("%s waits %v", text, wait)
		}
	}
	for i := range guessersKept + 9 {
		g.wrong(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(g.of); n != guessersKept {
		t.Errorf("%d addresses are kept, want %d", n, guessersKept)
	}
}
