package console

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a chromium that opens one page after another: to start one for each page takes longer than the page. It is
// spoken to over a pipe, in messages that end with a zero byte.
type browser struct {
	t    *testing.T
	to   *os.File
	from *bufio.Reader
	pipe *os.File // below from

	// Of the page that is open.
	last    int
	expired bool
	loaded  bool
	console string
}

// reply is an answer to a call, or an event.
type reply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

type object map[string]any

func openBrowser(t *testing.T) *browser {
	t.Helper()
	cmd := exec.Command(chromium(t), append(chromiumArgs(t), "--remote-debugging-pipe")...)
	theirIn, to := pipe(t)
	from, theirOut := pipe(t)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		to.Close() // it ends with the pipe
		from.Close()
		watchdog := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer watchdog.Stop()
		_ = cmd.Wait()
	})
	return &browser{t: t, to: to, from: bufio.NewReader(from), pipe: from}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// browse opens an address in a profile of its own and returns the document after its scripts ran for so much page time,
// and what the console said.
func (b *browser) browse(address string, budget time.Duration) (dom, console string) {
	b.t.Helper()
	if err := b.pipe.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	b.expired, b.console = false, ""
	var profile struct{ BrowserContextID string }
	b.call("", "Target.createBrowserContext", object{"disposeOnDetach": true}, &profile)
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", object{"url": "about:blank", "browserContextId": profile.BrowserContextID}, &target)
	var page struct{ SessionID string }
	b.call("", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &page)
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(page.SessionID, domain+".enable", nil, nil)
	}
	b.call(page.SessionID, "Page.navigate", object{"url": address}, nil)
	b.call(page.SessionID, "Emulation.setVirtualTimePolicy",
		object{"policy": "pauseIfNetworkFetchesPending", "budget": budget.Milliseconds()}, nil)
	for !b.expired {
		b.take(b.read())
	}
	var document struct{ Result struct{ Value string } }
	b.call(page.SessionID, "Runtime.evaluate", object{"expression": "document.documentElement.outerHTML"}, &document)
	b.call("", "Target.disposeBrowserContext", object{"browserContextId": profile.BrowserContextID}, nil)
	return document.Result.Value, b.console
}

// shape is how a page sits on a screen.
type shape struct {
	Wider   []string // elements that stick out, when the page scrolls sideways
	Clipped []string // words that their box cuts off
}

// look opens an address once and measures it on each screen; with a folder it leaves pictures there.
func (b *browser) look(address, name, folder string, screens ...screen) map[string]shape {
	b.t.Helper()
	if err := b.pipe.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	target, session := b.load(address)
	b.call(session, "Emulation.setScrollbarsHidden", object{"hidden": true}, nil)
	out := map[string]shape{}
	for _, s := range screens {
		b.call(session, "Emulation.setDeviceMetricsOverride", object{"width": s.width, "height": s.height,
			"deviceScaleFactor": 1, "mobile": false}, nil)
		b.call(session, "Emulation.setEmulatedMedia", object{"features": []object{
			{"name": "prefers-color-scheme", "value": map[bool]string{true: "dark", false: "light"}[s.dark]},
			{"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
		var answer struct{ Result struct{ Value shape } }
		b.call(session, "Runtime.evaluate", object{"expression": measure, "awaitPromise": true,
			"returnByValue": true}, &answer)
		out[s.name] = answer.Result.Value
		if folder != "" {
			var picture struct{ Data []byte }
			b.call(session, "Page.captureScreenshot", object{"captureBeyondViewport": true,
				"optimizeForSpeed": true}, &picture)
			if err := os.WriteFile(filepath.Join(folder, name+"-"+s.name+".png"), picture.Data, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.call("", "Target.closeTarget", object{"targetId": target}, nil)
	return out
}

// load opens an address in a tab of its own, and returns the tab and its session.
func (b *browser) load(address string) (target, session string) {
	b.t.Helper()
	var tab struct{ TargetID string }
	b.call("", "Target.createTarget", object{"url": "about:blank"}, &tab)
	var page struct{ SessionID string }
	b.call("", "Target.attachToTarget", object{"targetId": tab.TargetID, "flatten": true}, &page)
	b.call(page.SessionID, "Page.enable", nil, nil)
	b.loaded = false
	b.call(page.SessionID, "Page.navigate", object{"url": address}, nil)
	for !b.loaded {
		b.take(b.read())
	}
	return tab.TargetID, page.SessionID
}

// ask opens an address and returns what a script of the reader's says there.
func (b *browser) ask(address, script string) string {
	b.t.Helper()
	if err := b.pipe.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	target, session := b.load(address)
	var answer struct{ Result struct{ Value string } }
	b.call(session, "Runtime.evaluate", object{"expression": script, "awaitPromise": true, "returnByValue": true}, &answer)
	b.call("", "Target.closeTarget", object{"targetId": target}, nil)
	return answer.Result.Value
}

type screen struct {
	name          string
	width, height int
	dark          bool
}

// measure finds what sticks out of the page, unless a box of its own scrolls it, and what is cut off without a sign. A
// chart is drawn anew for another screen, a moment later: what sticks out counts only if it goes on to.
const measure = `(async () => {
	const fits = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
	for (let n = 0; n < 40 && !fits(); n++) await new Promise(done => setTimeout(done, 50));
	const wide = document.documentElement.clientWidth, out = { Wider: [], Clipped: [] };
	if (document.documentElement.scrollWidth > wide) {
		for (const e of document.body.querySelectorAll("*")) {
			if (e.closest(".sr, .skip, .defs, svg svg")) continue;
			if (e.getBoundingClientRect().right <= wide + 1) continue;
			out.Wider.push(e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40));
		}
		if (!out.Wider.length) out.Wider.push("the page");
	}
	for (const e of document.querySelectorAll(".value, .label, .note, .percent, .num, .tabs a, .chips a, .legend li, " +
		".stack-head a, h1, h2")) {
		if (e.closest(".table-wrap, .short, .u-legend, .sr")) continue;
		if (e.clientWidth === 0 || e.scrollWidth <= e.clientWidth + 1) continue;
		if (getComputedStyle(e).overflowX === "visible") continue;
		out.Clipped.push(e.className + " " + e.textContent.trim().slice(0, 40));
	}
	return out;
})()`

// call asks for something and waits for the answer.
func (b *browser) call(session, method string, params object, result any) {
	b.t.Helper()
	b.last++
	message := object{"id": b.last, "method": method}
	if session != "" {
		message["sessionId"] = session
	}
	if params != nil {
		message["params"] = params
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		r := b.read()
		if r.ID != b.last {
			b.take(r)
			continue
		}
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(r.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

func (b *browser) read() (r reply) {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("chromium said nothing more: %v", err)
	}
	if err := json.Unmarshal(text[:len(text)-1], &r); err != nil {
		b.t.Fatal(err)
	}
	return r
}

// take notes what an event says.
func (b *browser) take(r reply) {
	switch r.Method {
	case "Emulation.virtualTimeBudgetExpired":
		b.expired = true
	case "Page.loadEventFired":
		b.loaded = true
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		b.console += string(r.Params) + "\n"
	}
}
