package site

import (
	"io"
	"net"
	"net/http"
	"testing"
)

// TestALentListenerIsGivenBackOpen lets one server after the other have it.
func TestALentListenerIsGivenBackOpen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, name := range []string{"first", "second"} {
		giveBack := lend(ln,
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		resp, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(text) != name || err != nil {
			t.Errorf("%q answers instead of %s (%v)", text, name, err)
		}
		if err := giveBack(); err != nil {
			t.Error(err)
		}
	}
}
