package site

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"statewire/identity"
)

// A call that somebody adds without saying who may make it stops the build here.
func TestEveryCallOfASocketHasARowInTheTableOfPermissions(t *testing.T) {
	for _, c := range []struct {
		door   identity.Door
		served *calls
		least  int
	}{
		{identity.AtResync, (&Site{}).resyncCalls(ResyncRole{}), 12},
		{identity.AtStore, storeCalls(http.NotFoundHandler()), 1},
	} {
		if _, err := c.served.handler(); err != nil {
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
	h, err := served.handler()
	if err == nil || !strings.Contains(err.Error(), "POST /resync/unheard-of has no row") {
		t.Errorf("the stage starts: %v", err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/resync/unheard-of", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("it is answered %d", w.Code)
	}
}
