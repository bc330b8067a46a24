package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
)

// apiCaller calls a site's pages and API with a token, or without one.
type apiCaller struct {
	t     *testing.T
	site  string
	token string
}

// call returns the status of an answer, with the code of a refusal.
func (c apiCaller) call(method, target string) string {
	c.t.Helper()
	req, err := http.NewRequest(method, c.site+target, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // no redirect is followed
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var p struct{ Code string }
	if resp.Header.Get("Content-Type") == "application/problem+json" && method != "HEAD" &&
		json.Unmarshal(body, &p) != nil {
		c.t.Errorf("%s %s: no problem: %s", method, target, body)
	}
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", p.Code))
}

// newToken makes a token by the command.
func newToken(t *testing.T, data, role string, args ...string) (id, token string) {
	t.Helper()
	var made struct{ ID, Token, Role, Expires string }
	args = append([]string{"--format", "json", "token", "create", "--role", role}, args...)
	if err := json.Unmarshal([]byte(done(t, data, args...)), &made); err != nil || made.Role != role ||
		!strings.HasPrefix(made.Token, "swt_"+made.ID+"_") || made.Expires == "" {
		t.Fatalf("%v: %+v", err, made)
	}
	return made.ID, made.Token
}

// apiPaths are the paths of the API's description, filled in, and the methods that it gives each.
func apiPaths(t *testing.T, site string) map[string][]string {
	t.Helper()
	resp, err := http.Get(site + "/api/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Required bool
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || len(doc.Paths) < 40 {
		t.Fatalf("%v, %d paths", err, len(doc.Paths))
	}
	paths := map[string][]string{}
	fill := strings.NewReplacer("{id}", clientID(1).UUID(), "{serial}", "1", "{name}", "clients", "{kind}", "update")
	for path, methods := range doc.Paths {
		for method, op := range methods {
			query := url.Values{}
			for _, p := range op.Parameters {
				if p.Required && p.In == "query" {
					query.Set(p.Name, "1")
				}
			}
			target := fill.Replace(path)
			if len(query) > 0 {
				target += "?" + query.Encode()
			}
			paths[target] = append(paths[target], strings.ToUpper(method))
		}
	}
	return paths
}

// A viewer's token on each path of the API's description, by each method: only reads are answered. The tokens are made
// beside the running site, and end while it runs.
func TestAttackAViewersTokenOnEachPathOfTheAPI(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	s := serve(t, data)
	s.awaitReady()
	paths := apiPaths(t, s.reports)
	ids, tokens := map[string]string{}, map[string]string{}
	for _, role := range []string{"viewer", "operator", "admin"} {
		ids[role], tokens[role] = newToken(t, data, role)
		caller := apiCaller{t, s.reports, tokens[role]}
		for path, described := range paths {
			if role != "viewer" && strings.HasPrefix(path, "/api/v1/reports/") {
				continue // what the least role may the others may
			}
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"} {
				code := caller.call(method, path)
				reads := slices.Contains(described, "GET") && (method == "GET" || method == "HEAD")
				if strings.HasPrefix(path, "/api/v1/tasks/") || strings.HasPrefix(path, "/api/v1/subjects/") ||
					strings.HasSuffix(path, "?subject=1") {
					reads = false // there is no task, and no subject, of this id
				}
				changes := (method == "POST" || method == "PUT") && slices.Contains(described, method)
				if reads != strings.HasPrefix(code, "2") || changes && !refusedOrEmpty(role, code) {
					t.Errorf("%s: %s %s: %s; described are %q", role, method, path, code, described)
				}
			}
		}
	}
	if code := (apiCaller{t, s.reports, ""}).call("GET", "/api/v1/reports"); code != "200" {
		t.Errorf("without a token, on this machine: %s", code)
	}
	done(t, data, "token", "revoke", ids["admin"])
	if code := (apiCaller{t, s.reports, tokens["admin"]}).call("GET", "/api/v1/reports"); code != "401 token_revoked" {
		t.Errorf("a revoked token: %s", code)
	}
	_, scoped := newToken(t, data, "admin", "--collections", "pilot,berlin")
	if code := (apiCaller{t, s.reports, scoped}).call("GET", "/api/v1/status"); code != "403 out_of_scope" {
		t.Errorf("a token of two collections: %s", code)
	}
	for n := range 11 {
		want := "401 token_invalid"
		if n == 10 {
			want = "429 too_many_failures"
		}
		guess := apiCaller{t, s.reports, fmt.Sprintf("swt_%s_%043d", ids["viewer"], n)}
		if code := guess.call("GET", "/api/v1/reports"); code != want {
			t.Fatalf("guess %d: %s, want %s", n+1, code, want)
		}
	}
	viewer := apiCaller{t, s.reports, tokens["viewer"]}
	if code := viewer.call("GET", "/api/v1/reports"); code != "429 too_many_failures" {
		t.Errorf("the token that was guessed at: %s", code)
	}
	checkNoSecret(t, data, s.text(), tokens)
}

// refusedOrEmpty says whether a call that changes something, and that came without a body, met what its role meets: a
// viewer may not make it, an operator may not make all of them, and whoever may has to say what is wanted.
func refusedOrEmpty(role, code string) bool {
	return code == "403 forbidden" && role != "admin" || role != "viewer" && (code == "400 bad_body" || code == "400 bad_names")
}

// checkNoSecret looks for tokens in everything that the site wrote.
func checkNoSecret(t *testing.T, data, log string, tokens map[string]string) {
	t.Helper()
	audited := false
	err := filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(data, "store")) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		audited = audited || strings.Contains(path, "audit") && strings.Contains(string(text), `"token.create"`) &&
			strings.Contains(string(text), `"token.blocked"`) && strings.Contains(string(text), `"token.revoke"`)
		for role, token := range tokens {
			if strings.Contains(string(text), token[13:]) || strings.Contains(log, token[13:]) {
				t.Errorf("%s, or the log, has the secret of the %s's token", path, role)
			}
		}
		return nil
	})
	if err != nil || !audited {
		t.Errorf("%v; the audit has lines of tokens made, revoked and guessed: %v", err, audited)
	}
}

// Pages in a process of their own ask the one with the identity role. While that is away, whoever comes with a token is
// told to come later, and the pages go on.
func TestAttackTokensAreVerifiedAcrossProcesses(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	_, token := newToken(t, data, "viewer") // by the command itself: no site runs
	identities := serve(t, data, "--roles", "identity")
	pages := serve(t, data, "--roles", "reports")
	caller, local := apiCaller{t, pages.reports, token}, apiCaller{t, pages.reports, ""}
	if code := caller.call("GET", "/api/v1/reports"); code != "200" {
		t.Fatalf("a token that the command made: %s", code)
	}
	id, gone := newToken(t, data, "viewer") // by the running site
	revoked := apiCaller{t, pages.reports, gone}
	if code := revoked.call("GET", "/api/v1/reports"); code != "200" {
		t.Fatalf("a token that the site made: %s", code)
	}
	done(t, data, "token", "revoke", id)
	began := time.Now()
	if !eventually(patience, func() bool { return revoked.call("GET", "/api/v1/reports") == "401 token_revoked" }) {
		t.Error("a revoked token stays good")
	}
	promised(t, time.Since(began), 10*time.Second, "the end of a revoked token")
	identities.kill()
	if !eventually(patience, func() bool { return caller.call("GET", "/api/v1/reports") == "503 identity_unavailable" }) {
		t.Error("a token is believed for ever")
	}
	if code := local.call("GET", "/api/v1/reports"); code != "200" {
		t.Errorf("without a token while identity is away: %s", code)
	}
	serve(t, data, "--roles", "identity")
	if !eventually(patience, func() bool { return caller.call("GET", "/api/v1/reports") == "200" }) {
		t.Error("identity is back, and the token is not good")
	}
}

func TestATokenThatMakesNoSenseIsWrongUsage(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	for _, tc := range []struct {
		args []string
		says string
	}{
		{[]string{"create"}, "--role viewer"}, {[]string{"create", "--role", "root"}, `"root"`},
		{[]string{"create", "--role", "viewer", "--expires", "367d"}, "366d"},
		{[]string{"create", "--role", "viewer", "--collections", "a b"}, `"a b"`},
		{[]string{"revoke", "AAAAAAAA"}, "token list"},
	} {
		r := command(t, data, append([]string{"token"}, tc.args...)...)
		if r.code != cli.ExitUsage || !strings.Contains(r.errOut, tc.says) || r.out != "" {
			t.Errorf("%q ended with %d: %s %s", tc.args, r.code, r.out, r.errOut)
		}
	}
}
