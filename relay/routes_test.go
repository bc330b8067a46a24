package relay

import (
	"net/http"
	"strings"
	"testing"

	"statewire/identity"
)

// A path that somebody adds to the relay without saying who may call it stops the build here.
func TestEveryPathOfTheRelayHasARowInTheTableOfPermissions(t *testing.T) {
	r := &Relay{routes: map[string]route{"/mp/reports": {method: http.MethodPost}, "/mp/policy": {method: http.MethodGet}}}
	if err := r.listed(); err != nil {
		t.Fatal(err)
	}
	r.routes["/mp/policy"] = route{method: http.MethodPost}
	if err := r.listed(); err == nil || !strings.Contains(err.Error(), "POST /mp/policy has no row") {
		t.Errorf("a route without a row: %v", err)
	}
	if need, ok := identity.NeedOf(identity.AtRelay, "POST /mp/reports"); !ok || need.Permission != "" || need.Why == "" {
		t.Errorf("%+v", need)
	}
}
