package credentials

import (
	"bytes"
	"testing"

	"statewire/agent/agenttest"
)

// FuzzCertificates: what is read as certificates is written and read as the same ones; an owner is only read whole.
func FuzzCertificates(f *testing.F) {
	site := agenttest.NewAuthority(f)
	f.Add([]byte(site.Bundle()))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		certs, err := certificatesIn(text)
		if err != nil {
			return
		}
		again, err := certificatesIn(inPEM(certs))
		if err != nil || len(again) != len(certs) || !bytes.Equal(inPEM(again), inPEM(certs)) {
			t.Fatalf("%d certificates became %d, %v", len(certs), len(again), err)
		}
		if who, err := ownerOf(certs[0]); err == nil && (who.site == "" || who.client == [16]byte{}) {
			t.Fatalf("half an owner: %+v", who)
		}
	})
}
