package site

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"statewire/identity"
	"statewire/internal/control"
)

// A call that somebody adds without saying who may make it stops the build here.
func TestEveryCallOfASocketHasARowInTheTableOfPermissions(t *testing.T) {
	for _, c := range []struct {
		door   identity.Door
		served *calls
		least  int
	}{
		{identity.AtResync, (&Site{}).resyncCalls(ResyncRole{}), 12},
		{identity.AtIdentity, identityCalls(&Identity{}), 20},
		{identity.AtStore, storeCalls(http.NotFoundHandler()), 1},
	} {
		if _, err := c.served.handler(t.TempDir()); err != nil {
			t.Error(err)
		}
		if len(c.served.patterns) < c.least {
			t.Errorf("%s serves only %q: the enumeration is broken", c.door, c.served.patterns)
		}
		served := strings.Join(c.served.patterns, "\n") + "\n"
		for _, need := range identity.Needs() {
			if need.Door == c.door && !strings.Contains(served, need.Name+"\n") {
				t.Errorf("%s serves no %s, which has a row", c.door, need.Name)
			}
		}
	}
}

func TestACallWithoutARowIsNotServed(t *testing.T) {
	served := newCalls(identity.AtResync)
	served.HandleFunc("POST /resync/unheard-of", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("done")) })
	h, err := served.handler(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "POST /resync/unheard-of has no row") {
		t.Errorf("the stage starts: %v", err)
	}
	for who, want := range map[string]int{"the owner": http.StatusNotFound, "nobody knows who": http.StatusForbidden} {
		w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/resync/unheard-of", nil)
		if who == "the owner" {
			req = req.WithContext(control.WithPeer(req.Context(), control.Peer{UID: os.Getuid()}))
		}
		if h.ServeHTTP(w, req); w.Code != want {
			t.Errorf("%s is answered %d, want %d", who, w.Code, want)
		}
	}
}
