package store_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/store"
	"statewire/store/storetest"
)

// openAt opens a store as a configuration says, in a database of its own.
func openAt(t testing.TB, cfg store.Config, opt store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerOverHTTP(t *testing.T) {
	owner := storetest.Owner(t)
	srv := httptest.NewServer(owner.Handler())
	t.Cleanup(srv.Close)
	cfg := store.DefaultConfig()
	cfg.Addr, cfg.Database = []string{srv.URL}, "over_http"
	storesAndAnswers(t, openAt(t, cfg, store.Options{Access: store.Own}))
}

func TestServerOverTLSWithItsOwnAuthority(t *testing.T) {
	var user, password string
	owner := storetest.Owner(t).Handler()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password = req.Header.Get("X-ClickHouse-User"), req.Header.Get("X-ClickHouse-Key")
		owner.ServeHTTP(w, req)
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the refused certificate is wanted
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	ca, secret := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "password")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	write(t, secret, "geheim\n")
	cfg := store.DefaultConfig()
	cfg.Addr, cfg.Database, cfg.User, cfg.PasswordFile = []string{srv.URL}, "over_tls", "site", secret
	if _, err := store.Open(t.Context(), cfg, store.Options{Access: store.Own}); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server whose certificate nobody vouches for: %v", err)
	}
	cfg.CAFile = ca
	storesAndAnswers(t, openAt(t, cfg, store.Options{Access: store.Own}))
	if user != "site" || password != "geheim" {
		t.Errorf("signed in as %q with %q", user, password)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The owner of the engine serves its socket; a second process, here a second
// store, goes through it.
func TestOpenGoesThroughTheOwnersSocket(t *testing.T) {
	owner := storetest.Owner(t)
	dir, err := os.MkdirTemp("", "sw") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "statewire.sock"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(store.SocketPath+"/", http.StripPrefix(store.SocketPath, owner.Handler()))
	srv := &httptest.Server{Listener: ln, Config: &http.Server{Handler: mux}}
	srv.Start()
	t.Cleanup(srv.Close)
	cfg := store.DefaultConfig()
	cfg.Database = "over_socket"
	var log bytes.Buffer
	s := openAt(t, cfg, store.Options{Access: store.Own, Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "engine=socket") {
		t.Errorf("log %s", log.String())
	}
	storesAndAnswers(t, s)
}

// storesAndAnswers writes and reads through every way in.
func storesAndAnswers(t *testing.T, s *store.Store) {
	t.Helper()
	exec(t, s, "TRUNCATE TABLE state_messages", "TRUNCATE TABLE current_states_data")
	insert(t, t.Context(), s, message{Client: 1, Serial: 1, Topic: 500, TopicID: "x", State: 3, Hash: 1})
	if got := currentStates(t, t.Context(), s, ""); len(got) != 1 || got[0].State != 3 {
		t.Errorf("current states %v", got)
	}
	var n uint64
	if err := s.ReadOnly().QueryRow(t.Context(), "SELECT count() FROM current_states").Scan(&n); err != nil || n != 1 {
		t.Errorf("read-only: %d, %v", n, err)
	}
	if s.Embedded() || s.Handler() != nil || !strings.HasPrefix(s.Version(), "26.") {
		t.Errorf("embedded %v, version %s", s.Embedded(), s.Version())
	}
}

func TestReadOnlyRefusesWhatASQLTextCouldDo(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES "+
		"('f1000000-0000-0000-0000-000000000009', 4, 7)")
	out := filepath.Join(t.TempDir(), "out")
	for _, sql := range []string{
		"INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('f1000000-0000-0000-0000-000000000009', " +
			"5, 7)",
		"DROP TABLE serial_ranges",
		"SELECT * FROM serial_ranges SETTINGS readonly = 0",
		"SELECT * FROM serial_ranges INTO OUTFILE '" + out + "'",
		"SELECT file('/etc/hostname')",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"SELECT 1; DROP TABLE serial_ranges",
		"SYSTEM STOP MERGES",
	} {
		err := s.ReadOnly().Exec(t.Context(), sql)
		var ex *clickhouse.Exception
		if !errors.As(err, &ex) || ex.Code != 164 && ex.Code != 62 {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if n := count(t, s, "SELECT count() FROM serial_ranges"); n != 1 {
		t.Errorf("%d rows", n)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}

func TestReadOnlyHandlerIsForProgramsOfThisMachine(t *testing.T) {
	h := storetest.Owner(t).ReadOnlyHandler()
	tests := []struct {
		name, host, site string
		want             int
	}{
		{"by address", "127.0.0.1:8123", "", 200},
		{"by name", "localhost:8123", "", 200},
		{"IPv6", "[::1]:8123", "", 200},
		{"without a port", "localhost", "", 200},
		{"its own page", "localhost:8123", "same-origin", 200},
		{"a page from elsewhere", "localhost:8123", "cross-site", 403},
		{"a page of another port", "localhost:8123", "same-site", 403},
		{"a name that was bent to this machine", "evil.example:8123", "", 403},
	}
	for _, tt := range tests {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("SELECT 1"))
		req.Host = tt.host
		if tt.site != "" {
			req.Header.Set("Sec-Fetch-Site", tt.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.want)
		}
	}
}

func TestReadOnlyHandlerAnswersFromTheSiteDatabase(t *testing.T) {
	db := storetest.Owner(t)
	for _, tt := range []struct{ name, target string }{
		{"no database named", "/"},
		{"another database named", "/?database=system"},
	} {
		req := httptest.NewRequest(http.MethodPost, tt.target, strings.NewReader("SELECT currentDatabase()"))
		req.Host = "localhost:8123"
		w := httptest.NewRecorder()
		db.ReadOnlyHandler().ServeHTTP(w, req)
		want := db.Database()
		if tt.target != "/" {
			want = "system"
		}
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: answered from %q, want %q", tt.name, got, want)
		}
	}
}
