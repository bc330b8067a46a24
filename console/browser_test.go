package console

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
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

// browse opens an address in a profile of its own and returns the document after its scripts ran for four seconds of
// page time, and what the console said.
func (b *browser) browse(address string) (dom, console string) {
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
		object{"policy": "pauseIfNetworkFetchesPending", "budget": 4000}, nil)
	for !b.expired {
		b.take(b.read())
	}
	var document struct{ Result struct{ Value string } }
	b.call(page.SessionID, "Runtime.evaluate", object{"expression": "document.documentElement.outerHTML"}, &document)
	b.call("", "Target.disposeBrowserContext", object{"browserContextId": profile.BrowserContextID}, nil)
	return document.Result.Value, b.console
}

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
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		b.console += string(r.Params) + "\n"
	}
}
