package agenttest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"testing"

	"statewire/agent/transport"
)

// Listen serves h over TLS for the test, and returns its address, its certificate in PEM and its pin.
func Listen(t *testing.T, h http.Handler) (server *httptest.Server, authority []byte, pin string) {
	server = httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = nil
	server.EnableHTTP2 = false
	server.StartTLS()
	t.Cleanup(server.Close)
	cert := server.Certificate()
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), hex.EncodeToString(sum[:])
}

// Connect is a sender to a relay that the authority or the pin vouches for.
func Connect(t *testing.T, address string, authority []byte, pin string) *transport.Sender {
	t.Helper()
	trust, err := transport.Trust(authority, pin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := transport.NewSender(address, trust, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
