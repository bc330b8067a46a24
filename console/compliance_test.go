package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"statewire/identity"
	"statewire/reports/names"
	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// hostileTitle is a title that would be a link, a script, a formula and a colour, where a page let it.
const hostileTitle = `<script>alert("x")</script> =cmd| ` + "\x1b[31m"

// namedSite is a site of n clients with an update, a deployment with a target, a baseline, and titles from outside.
func namedSite(t *testing.T, n int) *reportstest.Seed {
	s := reportstest.NewSeed(t)
	var told []message
	var heard []report
	for c := 1; c <= n; c++ {
		say := func(serial uint64, topic uint32, topicID string, state uint32, params ...string) {
			told = append(told, message{Client: c, Serial: serial, Ago: time.Duration(20-serial) * hour, Topic: topic,
				ID: topicID, State: state, Params: params})
		}
		heard = append(heard, report{Client: c, Name: fmt.Sprintf("PC-%04d", c), Received: hour,
			File: fmt.Sprintf("f%d.SMX", c), Messages: 6})
		say(1, 500, "curl=7.88.1-10+deb12u15", uint32(2+c%2))
		say(2, 500, "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", 2)
		say(3, 402, "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", []uint32{11, 9, 12}[c%3], "0x80240022")
		say(4, 300, "{DEPLOY-1}", []uint32{1, 1, 2}[c%3])
		say(5, 401, "Baseline-TLS", []uint32{1, 2}[c%2])
		say(6, 501, "apt", 3)
	}
	if n > 0 {
		s.Reports(append(heard, report{Client: n + 1, Name: "PC-SILENT", Received: 20 * day, File: "silent.SMX"})...)
		s.Messages(told...)
		s.Exec(`INSERT INTO collections (name, revision, kind, deleted) VALUES ('servers', 1, 'list', 0)`)
		s.Exec(`INSERT INTO collection_clients (name, revision, client_id)
			SELECT 'servers', 1, client_id FROM clients_seen`)
	}
	title := func(id, kind, title, url, grp, target string) {
		s.Exec(`INSERT INTO topic_titles (topic_id, topic_type, source, title, kind, article, severity, released, url, grp,
			target, changed_time, version) VALUES (?, 0, 'file', ?, ?, 'KB5043080', 'critical', '2025-11-11', ?, ?, ?,
			now64(6), 1)`, id, title, kind, url, grp, target)
	}
	title("5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", "", hostileTitle, "https://example.org/kb?a=1&b=2",
		"2025-11 security", "")
	title("{DEPLOY-1}", "deployment", "Browser 142 for everybody", "javascript:alert(1)", "2025-11 security", "servers")
	made := summary.New(time.Minute, summary.Deps{Store: s.Store})
	if err := made.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// compliancePages are the pages about machines and what they need.
var compliancePages = map[string]string{
	"start": "/", "updates": "/compliance", "deployments": "/compliance?tab=deployments",
	"baselines": "/compliance?tab=baselines", "other": "/compliance?tab=other",
	"subject":            "/subjects/update/5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001",
	"subject-deployment": "/subjects/deployment/%7BDEPLOY-1%7D",
	"subject-class":      "/subjects/update/curl=7.88.1-10+deb12u15?class=bad",
	"machines":           "/machines", "machines-failed": "/machines?problem=failed&collection=servers",
	"collections": "/collections", "names": "/names", "needs": "/clients/PC-0001",
}

func TestPagesOfComplianceSayItByTitleAndAddUp(t *testing.T) {
	s := namedSite(t, 6)
	h, answers := handler(t, s), map[string]*httptest.ResponseRecorder{}
	for name, page := range compliancePages {
		answers[name] = get(t, h, page)
	}
	for name, wants := range map[string][]string{
		"start":   {"Need updates", `href="/machines?problem=failed"`, "Browser 142 for everybody", "Newest data stored"},
		"updates": {"&lt;script&gt;alert(", "curl 7.88.1-10", `href="/compliance?tab=deployments"`, "0 of 6 machines"},
		"subject": {`href="https://example.org/kb?a=1&amp;b=2"`, "KB5043080", "Why these numbers", "2025-11-11",
			"2 + 2 + 2 = 6", "statewire collection create NAME", `aria-current="true">all <b>6</b>`,
			"<span>6 rows</span>", "outside <b>1</b>"},
		"subject-deployment": {"Browser 142 for everybody", "servers", "silent"},
		"subject-class":      {"PC-0002", `aria-current="true"`},
		"machines":           {"PC-0001", `href="/machines?problem=restart"`},
		"collections":        {"servers", "/machines?collection=servers"},
		"names":              {"Baseline-TLS", `data-upload="/api/v1/names"`},
		// messages are missing: the bar beside that is not green
		"needs": {"What it needs", "Show all", `href="/subjects/update/5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001"`,
			`<p class="verdict busy">6 messages of PC-0001 are missing`},
	} {
		w := answers[name]
		for _, want := range wants {
			if body := strings.ReplaceAll(w.Body.String(), "&#43;", "+"); w.Code != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: status %d, no %q in %s", name, w.Code, want, body)
				break
			}
		}
	}
	for name, w := range answers {
		if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "<script>alert") ||
			strings.Contains(body, "\x1b") || strings.Contains(body, "javascript:") ||
			strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: status %d: %s", name, w.Code, body)
		}
		doc := parsePage(t, w.Body.String())
		for n := range doc.Descendants() { // an article's address may lead elsewhere, nothing else does
			if n.Type == html.ElementNode && strings.HasPrefix(attr(n, "href"), "https://example.org/") {
				n.Attr = nil
			}
		}
		checkPage(t, name, doc)
	}
	for page, want := range map[string]int{"/compliance?tab=nothing": 404, "/subjects/update/nothing": 404,
		"/machines?problem=odd": 400, "/machines?collection=nobody": 404, "/compliance?colour=red": 400} {
		if w := get(t, h, page); w.Code != want {
			t.Errorf("%s: status %d", page, w.Code)
		}
	}
	options := get(t, h, "/suggest/subjects?subject=alert").Body.String()
	if strings.Count(options, "<option") != 1 || !strings.Contains(options, `value="update/5a0c`) {
		t.Errorf("suggestions: %s", options)
	}
}

func TestPagesOfComplianceSayWhyTheyAreEmpty(t *testing.T) {
	s := reportstest.NewSeed(t)
	h := handler(t, s)
	for page, want := range map[string]string{
		"/": "No client has reported yet.", "/compliance": "has told of an update yet",
		"/compliance?tab=deployments": "has told of a deployment yet",
		"/compliance?tab=baselines":   "told of a baseline yet",
		"/compliance?search=x":        "Nothing fits these filters: search x.", "/collections": "This site has no collection yet.",
		"/machines": "No client has reported to this site yet.", "/names": "No client has told of an id that lacks a title.",
		"/names?all=true": "No topic id is like that.",
	} {
		if w := get(t, h, page); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d, no %q in %s", page, w.Code, want, w.Body)
		}
	}
}

// pagesFit looks at a page of each kind on a desktop and on a phone. STATEWIRE_TEST_SCREENSHOTS is a folder for pictures
// of all, with as many clients as STATEWIRE_TEST_SCREENSHOTS_CLIENTS says.
func pagesFit(t *testing.T, b *browser) {
	clients := 6
	if text := os.Getenv("STATEWIRE_TEST_SCREENSHOTS_CLIENTS"); text != "" {
		if _, err := fmt.Sscan(text, &clients); err != nil {
			t.Fatal(err)
		}
	}
	same := []string{"deployments", "baselines", "other", "subject-class", "machines-failed"} // as another one
	looksFit(t, b, serveSeeded(t, namedSite(t, clients)), compliancePages, same)
}

// looksFit looks at pages on a desktop and on a phone; at those that are the same as another one for pictures only.
func looksFit(t *testing.T, b *browser, site string, pages map[string]string, same []string) {
	t.Helper()
	folder := os.Getenv("STATEWIRE_TEST_SCREENSHOTS")
	screens := []screen{{"desktop", 1280, 1000, false}, {"phone", 390, 800, false}}
	if folder != "" {
		screens = append(screens, screen{"dark", 1280, 1000, true}, screen{"phone-dark", 390, 800, true})
	}
	for name, page := range pages {
		if folder == "" && slices.Contains(same, name) {
			continue
		}
		for on, shape := range b.look(site+page, name, folder, screens...) {
			if len(shape.Wider) > 0 {
				t.Errorf("%s on a %s is wider than the screen: %q", name, on, shape.Wider)
			}
			if len(shape.Clipped) > 0 {
				t.Errorf("%s on a %s cuts off %q", name, on, shape.Clipped)
			}
		}
	}
}

// keptNames takes titles and keeps them.
type keptNames struct{ lists []names.List }

func (k *keptNames) Load(_ context.Context, list names.List, _ names.Options) (names.Result, error) {
	k.lists = append(k.lists, list)
	return names.Result{Added: 1200}, nil
}

// namesAreLoaded gives the page of names a file and a token, as a reader does.
func namesAreLoaded(t *testing.T, b *browser) {
	kept, tokens := &keptNames{}, newTokens(t)
	site := serveSeeded(t, reportstest.NewSeed(t), func(p *parts) { p.pages.Names, p.pages.Tokens = kept, tokens })
	token := tokens.make(identity.Operator).Token
	for _, try := range []struct{ token, want string }{{token, "added 1,200"}, {token[:40], "token"}} {
		script := fmt.Sprintf(`(async () => {
			const form = document.querySelector("form[data-upload]"), files = new DataTransfer();
			files.items.add(new File(["topic_id,title\nBaseline-TLS,TLS 1.2 or newer\n"], "names.csv"));
			form.elements.file.files = files.files;
			form.elements.token.value = %q;
			form.requestSubmit();
			const said = form.querySelector("[data-said]");
			for (let n = 0; n < 200 && (said.textContent === "" || said.textContent.startsWith("Sending")); n++)
				await new Promise(done => setTimeout(done, 50));
			return said.textContent;
		})()`, try.token)
		if said := b.ask(site+"/names", script); !strings.Contains(said, try.want) {
			t.Errorf("the page of names says %q, want %q", said, try.want)
		}
	}
	if len(kept.lists) != 1 {
		t.Errorf("%d lists of names arrived", len(kept.lists))
	}
}
