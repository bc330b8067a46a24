package local

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/smx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

var testIdentity = agent.Identity{Client: smx.ClientID{1, 2, 3}, NetBIOSName: "MUC-FIN-L0001",
	ClientVersion: "5.00.9132.1011", CodePage: "1252"}

// summary is what the store holds, in numbers.
func summary(t *testing.T, store *cache.Memory) cache.Summary {
	t.Helper()
	sum, err := store.Summary()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
