package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/identity"
	"statewire/reports"
	"statewire/reports/reportstest"
	"statewire/smx"
)

// codeIn is the code of a refusal, with its status.
func codeIn(t *testing.T, h http.Handler, target string, change ...func(*http.Request)) string {
	t.Helper()
	w := get(t, h, target, change...)
	if w.Code < 400 {
		return fmt.Sprint(w.Code)
	}
	var p Problem
	if w.Header().Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Detail == "" {
			t.Errorf("%s: %d %v %s", target, w.Code, err, w.Body)
		}
	}
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", p.Code))
}

// reads are all paths of the API's description with parameters that they can be asked with, and the pages.
func reads(t *testing.T, s *Server, client uuid.UUID) []string {
	t.Helper()
	targets := []string{"/", "/panels/set-aside", "/completeness", "/operations", "/operations/13", "/clients/" +
		client.String(), "/reports", "/compliance", "/subjects/deployment/1", "/machines", "/collections", "/names",
		"/suggest/subjects", "/reports/clients", "/metrics", "/api/v1/openapi.json", "/api/v1/openapi.yaml", "/api/v1/openapi-3.0.json",
		"/api/v1/openapi-3.0.yaml"}
	for path, methods := range apiOf(t, s) {
		if methods["get"] == nil {
			continue
		}
		path = strings.NewReplacer("/tasks/{id}", "/tasks/13", "/subjects/{kind}/{id}", "/subjects/deployment/1").Replace(path)
		path = strings.NewReplacer("{id}", client.String(), "{serial}", "1", "{name}", "clients").Replace(path)
		if name, ok := strings.CutPrefix(path, "/api/v1/reports/"); ok {
			report, err := s.runner.Catalog().Get(name)
			if err != nil {
				t.Fatal(err)
			}
			path += "?limit=1"
			for key, value := range reportstest.RequiredParams(report) {
				path += "&" + key + "=" + value
			}
		}
		targets = append(targets, path)
	}
	return targets
}

func TestAttackEachTokenOnEachPathAndMethod(t *testing.T) {
	seed, tokens := reportstest.Fleet(t).Subject(), newTokens(t)
	s := newServer(t, seed, parts{cfg: reports.DefaultConfig(), reports: reports.Deps{Backlog: reportstest.SomeBacklog},
		pages: Deps{Tokens: tokens, Tasks: someTasks(),
			Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})}})
	targets := reads(t, s, reportstest.ID(1))
	if len(targets) < 40 {
		t.Fatalf("only %q", targets)
	}
	stored := countRows(t, seed)
	ended, end := context.WithCancel(t.Context())
	end()
	for _, role := range identity.Roles() {
		token := tokens.make(role)
		for _, target := range targets {
			// One report stands for all of them, and the least role for the others, which are let in as well.
			same := strings.HasPrefix(target, "/api/v1/reports/") && !strings.HasPrefix(target, "/api/v1/reports/clients?")
			if role == identity.Viewer && !same {
				if w := get(t, s.handler, target, bearer(token.Token)); w.Code != http.StatusOK {
					t.Errorf("%s reads %s: %d %.200s", role, target, w.Code, w.Body)
				}
			} else if w := get(t, s.handler, target, bearer(token.Token), func(r *http.Request) {
				*r = *r.WithContext(ended)
			}); w.Code >= 400 && w.Code < 499 {
				t.Errorf("%s is not let in to %s: %d %.200s", role, target, w.Code, w.Body)
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
				if w := get(t, s.handler, target, bearer(token.Token), withMethod(method)); w.Code < 400 {
					t.Errorf("%s may %s %s: %d", role, method, target, w.Code)
				}
			}
		}
	}
	if n := countRows(t, seed); n != stored {
		t.Errorf("the store has %d rows, had %d", n, stored)
	}
}

// countRows is how much is stored.
func countRows(t *testing.T, s *reportstest.Seed) (n uint64) {
	t.Helper()
	err := s.Store.Conn().QueryRow(t.Context(), "SELECT (SELECT count() FROM state_messages) + (SELECT count() FROM "+
		"current_states) + (SELECT count() FROM clients)").Scan(&n)
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
	return n
}

// The pages have no route yet that needs more than a viewer. So that the next one is guarded, each permission gets one.
func TestAttackEachPermissionIsForItsRolesOnly(t *testing.T) {
	tokens := newTokens(t)
	s := newServer(t, reportstest.NewSeed(t), parts{cfg: reports.DefaultConfig(), pages: Deps{Tokens: tokens}})
	routes := &routes{mux: http.NewServeMux(), server: s}
	s.needOf = func(_ identity.Door, pattern string) (identity.Need, bool) {
		name, ok := strings.CutPrefix(pattern, "POST /do/")
		return identity.Need{Permission: identity.Permission(name), Scope: identity.NoClient}, ok
	}
	done := ""
	permissions := []identity.Permission{"unheard.of"}
	for _, right := range identity.Rights() {
		permissions = append(permissions, right.Permission)
	}
	for _, p := range permissions {
		routes.HandleFunc("POST /do/"+string(p), func(http.ResponseWriter, *http.Request) { done = string(p) })
	}
	h := s.guard(routes)
	callers := []func(*http.Request){func(*http.Request) {}}
	roles := []identity.Person{{Role: identity.Viewer}}
	for _, role := range identity.Roles() {
		for _, scope := range [][]string{nil, {"pilot"}} {
			callers = append(callers, bearer(tokens.make(role, scope...).Token))
			roles = append(roles, identity.Person{Role: role, Collections: scope})
		}
	}
	for i, caller := range callers {
		for _, p := range permissions {
			right, known := identity.RightOf(p)
			may := known && roles[i].Role.Has(right.Least) && !(right.Unscoped && roles[i].Scoped())
			done = ""
			code := codeIn(t, h, "/do/"+string(p), caller, withMethod(http.MethodPost))
			if want := map[bool]string{true: "200", false: "403 forbidden"}[may]; code != want || (done != "") != may {
				t.Errorf("%+v and %s: %s (done %q), want %s", roles[i], p, code, done, want)
			}
			// A page of another site, in the browser of somebody who may.
			done = ""
			for _, foreign := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
				{"Origin": "https://evil.example"}, {"Origin": "null"}} {
				code := codeIn(t, h, "/do/"+string(p), caller, withMethod(http.MethodPost), func(r *http.Request) {
					for key, value := range foreign {
						r.Header.Set(key, value)
					}
				})
				if code != "403 cross_origin" || done != "" {
					t.Errorf("%s from a page of another site %v: %s, done %q", p, foreign, code, done)
				}
			}
		}
	}
}

func TestAttackBadTokensAreRefused(t *testing.T) {
	tokens := newTokens(t)
	h := handler(t, reportstest.Fleet(t), func(p *parts) {
		p.pages.Tokens, p.pages.Metrics = tokens, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	})
	good, gone := tokens.make(identity.Viewer), tokens.make(identity.Admin)
	if _, err := tokens.Revoke(t.Context(), identity.Person{Role: identity.Admin}, gone.ID); err != nil {
		t.Fatal(err)
	}
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	for _, target := range []string{"/api/v1/reports", "/reports", "/", "/metrics", "/api/v1/openapi.json"} {
		for _, tc := range []struct {
			name   string
			change []func(*http.Request)
			want   string
		}{
			{"a good one", []func(*http.Request){bearer(good.Token)}, "200"},
			{"a good one from elsewhere", []func(*http.Request){bearer(good.Token), from("10.0.0.9:1")}, "200"},
			{"the scheme in other letters", []func(*http.Request){header("bEARER  " + good.Token)}, "200"},
			{"none, on this machine", nil, "200"},
			{"none, on this machine by IPv6", []func(*http.Request){from("[::1]:1")}, "200"},
			{"none, from elsewhere", []func(*http.Request){from("10.0.0.9:1")}, "401 token_required"},
			{"none, from nowhere", []func(*http.Request){from("@")}, "401 token_required"},
			{"a name and password from elsewhere", []func(*http.Request){header("Basic YTpi"), from("10.0.0.9:1")},
				"401 token_required"},
			{"revoked", []func(*http.Request){bearer(gone.Token)}, "401 token_revoked"},
			{"empty", []func(*http.Request){header("Bearer"), from("10.1.0.1:1")}, "401 token_invalid"},
			{"cut", []func(*http.Request){bearer(good.Token[:40]), from("10.1.0.2:1")}, "401 token_invalid"},
			{"two", []func(*http.Request){header("Bearer "+good.Token, "Bearer "+good.Token)}, "401 token_invalid"},
		} {
			w := get(t, h, target, tc.change...)
			if code := codeIn(t, h, target, tc.change...); !strings.HasPrefix(code, tc.want) {
				t.Errorf("%s: %s: %s, want %s", target, tc.name, code, tc.want)
			}
			if challenged := w.Header().Get("WWW-Authenticate") == "Bearer"; challenged != (w.Code == 401) {
				t.Errorf("%s: %s: %d with %q", target, tc.name, w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if strings.Contains(w.Body.String(), good.Token[13:30]) {
				t.Errorf("%s: %s: the answer repeats the token", target, tc.name)
			}
		}
	}
	tokens.at = tokens.at.Add(time.Hour)
	if code := codeIn(t, h, "/api/v1/reports", bearer(good.Token)); code != "401 token_expired" {
		t.Errorf("after an hour: %s", code)
	}
	for _, target := range []string{"/healthz", "/static/statewire.css"} {
		if code := codeIn(t, h, target, from("10.0.0.9:1"), bearer("swt_")); code != "200" {
			t.Errorf("%s tells nothing, and is refused: %s", target, code)
		}
	}
}

func TestAttackGuessedTokensHaveToWait(t *testing.T) {
	tokens := newTokens(t)
	h := handler(t, reportstest.NewSeed(t), func(p *parts) { p.pages.Tokens = tokens })
	good := tokens.make(identity.Viewer)
	for n := range 10 {
		guess := fmt.Sprintf("swt_%s_%043d", good.ID, n)
		if code := codeIn(t, h, "/api/v1/reports", bearer(guess), from("10.0.0.9:1")); code != "401 token_invalid" {
			t.Fatalf("guess %d: %s", n+1, code)
		}
	}
	w := get(t, h, "/api/v1/reports", bearer(good.Token), from("10.0.0.9:2"))
	if w.Code != 429 || w.Header().Get("Retry-After") != "600" || !strings.Contains(w.Body.String(), `"retry":true`) {
		t.Errorf("after ten guesses: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if code := codeIn(t, h, "/reports"); code != "200" {
		t.Errorf("the pages on this machine: %s", code)
	}
	tokens.at = tokens.at.Add(10 * time.Minute)
	if code := codeIn(t, h, "/api/v1/reports", bearer(good.Token), from("10.0.0.9:2")); code != "200" {
		t.Errorf("ten minutes later: %s", code)
	}
}

// Nobody there to say whose a token is: its holder is told to come later, and the pages go on.
func TestTokensWhileIdentityIsAway(t *testing.T) {
	away := identity.DialAPITokens(filepath.Join(t.TempDir(), "identity.sock"))
	for name, change := range map[string]func(*parts){"away": func(p *parts) { p.pages.Tokens = away },
		"none": func(*parts) {}} {
		h := handler(t, reportstest.NewSeed(t), change)
		w := get(t, h, "/api/v1/reports", bearer("swt_AAAAAAAA_"+strings.Repeat("A", 43)))
		if w.Code != 503 || !strings.Contains(w.Body.String(), `"identity_unavailable"`) ||
			w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if code := codeIn(t, h, "/reports"); code != "200" {
			t.Errorf("%s: the pages say %s", name, code)
		}
	}
}

func TestAttackACallerOfSomeCollectionsSeesOnlyTheirClients(t *testing.T) {
	seed, tokens := reportstest.Fleet(t), newTokens(t)
	seed.Reports(reportstest.Report{Client: 1, Name: "TWIN", Received: time.Hour},
		reportstest.Report{Client: 50, Name: "TWIN", Received: time.Hour},
		reportstest.Report{Client: 51, Name: "PAIR", Received: time.Hour},
		reportstest.Report{Client: 52, Name: "PAIR", Received: time.Hour})
	sets := collections.New(seed.Store, slog.New(slog.DiscardHandler), time.Now)
	own, foreign := reportstest.ID(2), reportstest.ID(3)
	for _, spec := range []collections.Spec{{Name: "pilot", Clients: []smx.ClientID{smx.ClientID(own),
		smx.ClientID(reportstest.ID(51))}},
		{Name: "rest", Clients: []smx.ClientID{smx.ClientID(foreign), smx.ClientID(reportstest.ID(1))}}} {
		if _, err := sets.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	text := "-- title: Clients of a collection\n-- param collection String: whose\n" +
		"SELECT client_id FROM collection_clients WHERE name = {collection:String}"
	if err := os.WriteFile(filepath.Join(dir, "of-collection.sql"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := handler(t, seed, func(p *parts) { p.pages.Tokens, p.pages.Members, p.cfg.Dir = tokens, sets, dir })
	token := bearer(tokens.make(identity.Admin, "pilot").Token)
	for target, want := range map[string]string{
		"/":                                   "403 out_of_scope",
		"/completeness":                       "403 out_of_scope",
		"/panels/freshness":                   "403 out_of_scope",
		"/api/v1/status":                      "403 out_of_scope",
		"/api/v1/reports":                     "200",
		"/reports":                            "200",
		"/api/v1/openapi.json":                "200",
		"/api/v1/reports/clients":             "403 out_of_scope",
		"/reports/clients":                    "403 out_of_scope",
		"/api/v1/reports/clients?collection=": "403 out_of_scope",
		"/api/v1/reports/clients?collection=rest":  "403 out_of_scope",
		"/api/v1/reports/clients?collection=pilot": "200",
		// it has no such parameter
		"/api/v1/reports/bad-files?collection=pilot": "400 bad_parameter",
		"/compliance":                                                          "403 out_of_scope",
		"/compliance?collection=rest":                                          "403 out_of_scope",
		"/compliance?collection=pilot&tab=deployments":                         "200",
		"/compliance?collection=pilot&tab=baselines":                           "403",
		"/compliance?collection=pilot&tab=other":                               "403",
		"/subjects/deployment/DEP1":                                            "403 out_of_scope",
		"/subjects/deployment/DEP1?collection=pilot":                           "200",
		"/machines?collection=pilot":                                           "200",
		"/machines?collection=rest":                                            "403 out_of_scope",
		"/collections":                                                         "403 out_of_scope",
		"/names":                                                               "403 out_of_scope",
		"/api/v1/reports/clients?param=collection=pilot":                       "403 out_of_scope",
		"/api/v1/reports/of-collection?collection=pilot":                       "200",
		"/reports/of-collection?collection=pilot":                              "200",
		"/api/v1/reports/of-collection?collection=rest":                        "403 out_of_scope",
		"/reports/of-collection?collection=rest":                               "403 out_of_scope",
		"/api/v1/reports/of-collection?collection=Pilot":                       "403 out_of_scope",
		"/api/v1/reports/of-collection?collection=pilot&collection=rest":       "400 bad_parameter",
		"/api/v1/reports/of-collection?collection=rest&collection=pilot":       "403 out_of_scope",
		"/api/v1/reports/of-collection?collection=pilot&param=collection=rest": "400 bad_parameter",
		"/api/v1/reports/of-collection?param=collection=rest&collection=pilot": "400 bad_parameter",
		"/api/v1/reports/of-collection?%63ollection=rest":                      "403 out_of_scope",
		"/reports/of-collection?collection=pilot&param=collection=rest":        "400",
		"/api/v1/clients/" + own.String() + "/explain":                         "200",
		"/api/v1/clients/" + own.String() + "/trace/1":                         "200",
		"/clients/" + own.String():                                             "200",
		"/clients/PC002":                                                       "200",
		"/api/v1/clients/" + foreign.String() + "/explain":                     "403 out_of_scope",
		"/api/v1/clients/" + foreign.String() + "/trace/1":                     "403 out_of_scope",
		"/clients/" + foreign.String():                                         "403 out_of_scope",
		"/clients/PC003":                                                       "403 out_of_scope",
		"/clients/NOBODY":                                                      "403 out_of_scope",
		"/clients/TWIN":                                                        "403 out_of_scope",
		// one of the two is its own
		"/clients/PAIR":                "403 out_of_scope",
		"/clients/" + uuid.NewString(): "403 out_of_scope",
		"/healthz":                     "200",
	} {
		if code := codeIn(t, h, target, token); code != want {
			t.Errorf("%s: %s, want %s", target, code, want)
		}
	}
	var p Problem
	if err := json.Unmarshal(get(t, h, "/clients/TWIN", token).Body.Bytes(), &p); err != nil ||
		!strings.Contains(p.Detail, ": 2 clients") {
		t.Errorf("%v: %q does not say how many are outside", err, p.Detail)
	}
	for _, target := range []string{"/reports/of-collection?collection=pilot", "/reports/clients?collection=pilot",
		"/machines?collection=pilot", "/subjects/deployment/DEP1?collection=pilot"} {
		if body := get(t, h, target, token).Body.String(); strings.Contains(body, foreign.String()) ||
			!strings.Contains(body, own.String()) || strings.Contains(body, ">rest<") {
			t.Errorf("%s shows other clients or collections, or not the caller's own", target)
		}
	}
	lost := handler(t, seed, func(p *parts) { p.pages.Tokens, p.pages.Members = tokens, lostMembers{} })
	if code := codeIn(t, lost, "/clients/"+own.String(), token); code != "500 internal" {
		t.Errorf("while collections can't be read: %s", code)
	}
}

// lostMembers is a store that fails.
type lostMembers struct{}

func (lostMembers) Has(context.Context, []string, uuid.UUID) (bool, error) {
	return true, errors.New("no store")
}
