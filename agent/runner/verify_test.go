package runner

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

const workPack = `<ManagementPack Format="1"><Manifest><Identity><ID>Test.Work</ID><Version>%s</Version></Identity>` +
	`<Name>Work</Name><Applies OS="%s" MinAgent="%s"/></Manifest><Tasks>` +
	`<Task ID="Test.Work.Do" Accessibility="Public" Class="disruptive" Timeout="300"><Name>Do</Name>` +
	`<Parameter Name="Days" Type="int" Min="0" Max="9" Default="7" Overridable="true"/>` +
	`<Parameter Name="Fixed" Type="int" Min="0" Max="9" Default="1"/>` +
	`<WriteAction><Command Path="%s"><Arg>-d</Arg><Arg>+$(Days)</Arg></Command></WriteAction></Task>` +
	`<Task ID="Test.Work.Inner" Accessibility="Internal" Class="benign" Timeout="300"><Name>Inner</Name>` +
	`<WriteAction><BuiltIn Name="policy"/></WriteAction></Task>` +
	`<Task ID="Test.Work.Near" Accessibility="Public" Remotable="false" Class="benign" Timeout="300"><Name>Near</Name>` +
	`<WriteAction><BuiltIn Name="policy"/></WriteAction></Task></Tasks></ManagementPack>`

func workXML(version, system, agent string) []byte {
	path := "/bin/work"
	if system == "windows" {
		path = `C:\work.exe`
	}
	return fmt.Appendf(nil, workPack, version, system, agent, path)
}

// heldPacks are packs by their version.
type heldPacks map[string]*packs.Pack

func (h heldPacks) Get(id, version, _ string) (*packs.Pack, error) {
	if p := h[version]; p != nil && p.ID == id {
		return p, nil
	}
	return nil, errors.New("it is not held")
}

func parsed(t testing.TB, xml []byte) *packs.Pack {
	t.Helper()
	p, err := packs.Parse(xml)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fakePacks are versions 1.1 and 1.2 for this system, 1.3 for another one, 1.4 for newer agents.
func fakePacks(t testing.TB) heldPacks {
	return heldPacks{"1.1.0.0": parsed(t, workXML("1.1.0.0", "linux", "1.4.0")),
		"1.2.0.0": parsed(t, workXML("1.2.0.0", "linux", "1.4.0")),
		"1.3.0.0": parsed(t, workXML("1.3.0.0", "windows", "1.4.0")),
		"1.4.0.0": parsed(t, workXML("1.4.0.0", "linux", "1.10.0"))}
}

func ofPack(id, version, task string) func(*wire.RequestMessage) {
	return func(r *wire.RequestMessage) {
		r.Pack, r.PackVersion, r.Name = id, version, task
		system, agent := "linux", "1.4.0"
		switch version {
		case "1.3.0.0":
			system = "windows"
		case "1.4.0.0":
			agent = "1.10.0"
		}
		r.PackHash = packs.HashOf(workXML(version, system, agent))
	}
}

// The first thing that is wrong with a task is why it is refused, in this order, and what is wrong is never done.
func TestTheFirstFaultIsTheRefusal(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		m.held = fakePacks(t)
		m.start().clock()
		stranger := newSite(t)
		off, report := Rules{Tasks: Off, Allow: packs.Benign, Deny: []string{"Test.Work"}},
			Rules{Tasks: Report, Allow: packs.Destructive}
		run := Rules{Tasks: Run, Allow: packs.Destructive}
		r := m.order("", ofPack("Test.Work", "1.3.0.0", "Test.Work.Nothing"), func(r *wire.RequestMessage) {
			r.Site, r.Client, r.NotAfter = uuid.New(), uuid.New(), r.Issued.Add(-time.Second)
			r.Pack, r.Type = "Test.Other", 300
			r.Parameters = []wire.Parameter{{Name: "Days", Value: "1; touch /x"}}
		})
		ownKey, ownSign := m.key, m.sign
		rules, pushes := off, 0
		for _, step := range []struct {
			want string
			fix  func() // what was wrong before
		}{
			{"unknown_key", func() { m.key, m.sign = stranger.key, stranger.sign }},
			{"wrong_site", func() { m.key, m.sign = ownKey, ownSign }},
			{"wrong_client", func() { r.Site = m.id }},
			{"expired", func() { r.Client = m.client }},
			{"no_pack", func() { r.NotAfter = r.Issued.Add(time.Hour) }},
			{"no_task", func() { r.Pack = "Test.Work" }},
			{"no_task", func() { r.Name = "Test.Work.Inner" }},
			{"no_task", func() { r.Name = "Test.Work.Near" }},
			{"no_task", func() { r.Name = "Do" }},
			{"no_task", func() { r.Name = "Test.Work.Do" }},
			{"not_for_this_os", func() { r.Type = wire.TypePack }},
			{"not_for_this_os", func() { ofPack("Test.Work", "1.4.0.0", "Test.Work.Do")(&r) }},
			{"bad_parameter Days", func() { ofPack("Test.Work", "1.2.0.0", "Test.Work.Do")(&r) }},
			{"bad_parameter Days", func() { r.Parameters[0].Value = "10" }},
			{"not_overridable Fixed", func() { r.Parameters = []wire.Parameter{{Name: "Fixed", Value: "2"}} }},
			{"denied_locally", func() { r.Parameters = []wire.Parameter{{Name: "Days", Value: "9"}} }},
			{"denied_locally", func() { rules.Tasks = Run }},
			{"denied_locally", func() { rules.Deny = nil }},
			{"report_only", func() { rules = report }},
		} {
			step.fix()
			m.r.Configure(rules)
			r.Task = uuid.New()
			m.push(r)
			pushes++
			got := m.expect(fmt.Sprint("after fix ", pushes), "refused "+step.want)
			if len(got) == 1 && (got[0].Task != r.Task || got[0].TaskID != 13 || got[0].Push != 9) {
				t.Errorf("%s names %+v", step.want, got[0])
			}
		}
		if m.effects() > 0 {
			t.Error("something was done")
		}
		m.r.Configure(run)
		r.Task = uuid.New()
		m.push(r)
		m.expect("without a fault", "received", "running", "succeeded")
	})
}

// An envelope in which any byte is another one is refused, and leaves no trace.
func TestAnEnvelopeThatIsAlteredAnywhereIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.order("TestEvent",
			func(r *wire.RequestMessage) { r.Parameters = []wire.Parameter{{Name: "Text", Value: "x"}} })
		good := m.signed(r)
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= []byte{0x01, 0x20}[at%2]
			m.r.Request(9, bad)
			for _, a := range m.answers() {
				if a.Step != wire.StepRefused || a.Code != "bad_envelope" && a.Code != "bad_signature" && a.Code != "unknown_key" {
					t.Fatalf("byte %d as %q: %s %s", at, bad[at], a.Step, a.Code)
				}
			}
		}
		for _, bad := range [][]byte{good[:len(good)-1], append(bytes.Clone(good), ' '), append(bytes.Clone(good), good...),
			m.envelope(wire.CancelType, r.Encode()), bytes.Repeat([]byte("x"), trust.MaxTaskBytes+1), []byte("null")} {
			m.r.Request(9, bad)
			if got := steps(m.answers()); len(got) > 0 && got[0] != "refused bad_envelope" { // some name no task
				t.Errorf("%.20q: %v", bad, got)
			}
		}
		if m.kept() != 0 || m.effects() != 0 {
			t.Errorf("%d are kept, %d things done", m.kept(), m.effects())
		}
		m.r.Request(9, good)
		m.expect("as it was", "received", "running", "succeeded")
	})
}

// A refusal of what nobody signed keeps no id: the task that has it still runs.
func TestWhatNobodySignedBarsNoTask(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.order("Policy")
		forged := bytes.Replace(m.signed(r), []byte(base64.StdEncoding.EncodeToString(r.Encode())),
			[]byte(base64.StdEncoding.EncodeToString(
				m.order("Resync", func(o *wire.RequestMessage) { o.Task = r.Task }).Encode())), 1)
		m.r.Request(9, forged)
		if got := m.expect("forged", "refused bad_signature"); got[0].Task != r.Task {
			t.Errorf("names %s", got[0].Task)
		}
		m.push(r)
		m.expect("signed", "received", "running", "succeeded")
	})
}

// A pack never goes back below a version that was in force, not even in another process.
func TestAPackDoesNotGoBack(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		m.held = fakePacks(t)
		m.start().clock()
		m.ask("", ofPack("Test.Work", "1.1.0.0", "Test.Work.Do"))
		m.expect("1.1", "received", "running", "succeeded")
		m.ask("", ofPack("Test.Work", "1.2.0.0", "Test.Work.Do"))
		m.expect("1.2", "received", "running", "succeeded")
		_ = m.stop()
		m.start().clock()
		m.ask("", ofPack("Test.Work", "1.1.0.0", "Test.Work.Do"))
		m.expect("1.1 again", "refused no_pack")
		m.ask("", ofPack("Test.Work", "1.2.0.0", "Test.Work.Do"),
			func(r *wire.RequestMessage) { r.PackHash = packs.HashOf(nil) })
		m.expect("another 1.2", "refused no_pack")
		m.ask("Policy", func(r *wire.RequestMessage) { r.PackVersion = "1.0.0.1" })
		m.expect("another built-in pack", "refused no_pack")
		m.ask("Policy", func(r *wire.RequestMessage) { r.PackHash = packs.HashOf(nil) })
		m.expect("another built-in pack", "refused no_pack")
	})
}

// Time ends tasks: the greatest that a key vouched for and what has passed since, or the site's own word when it is at
// most a day ahead of that. The wall clock is not asked.
func TestWhenATaskHasExpired(t *testing.T) {
	hour := func(r *wire.RequestMessage) { r.Delay = 59 * time.Minute }
	for name, tc := range map[string]struct {
		do   func(m *machine)
		want string
	}{
		"nothing":                        {func(*machine) {}, "succeeded"},
		"the wall clock 10 years ahead":  {func(m *machine) { m.turn(10 * 365 * 24 * time.Hour) }, "succeeded"},
		"the wall clock 10 years behind": {func(m *machine) { m.turn(-10 * 365 * 24 * time.Hour) }, "succeeded"},
		"signed time": {func(m *machine) {
			m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id, time.Now().Add(2*time.Minute)))
		}, "refused expired"},
		"signed time of another key": {func(m *machine) {
			s := newSite(m.t)
			m.r.SignedTime(wire.SignTime(s.key, s.sign, m.id, time.Now().Add(2*time.Minute)))
		}, "succeeded"},
		"signed time of another site": {func(m *machine) {
			m.r.SignedTime(wire.SignTime(m.key, m.sign, uuid.New(), time.Now().Add(2*time.Minute)))
		}, "succeeded"},
		"the site's word": {func(m *machine) { m.r.SiteTime(time.Now().Add(2 * time.Minute)) },
			"refused expired"},
		"its word, a day ahead": {func(m *machine) { m.r.SiteTime(time.Now().Add(24 * time.Hour)) },
			"refused expired"},
		"its word, more than a day": {func(m *machine) { m.r.SiteTime(time.Now().Add(24*time.Hour + time.Second)) },
			"succeeded"},
		"its word, behind": {func(m *machine) { m.r.SiteTime(time.Now().Add(-time.Hour)) }, "succeeded"},
		"it slept":         {func(m *machine) { m.sleep(70 * time.Minute) }, "refused expired"},
		"an older signed time, played": {func(m *machine) {
			m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id,
				time.Now().Add(-time.Hour)))
		}, "succeeded"},
	} {
		bubble(t, func(t *testing.T, m *machine) {
			m.ask("Policy", hour)
			m.answers()
			synctest.Wait()
			tc.do(m)
			time.Sleep(59*time.Minute + 30*time.Second)
			got := steps(m.answers())
			if len(got) == 0 || got[len(got)-1] != tc.want || (m.polls == 1) != (tc.want == "succeeded") {
				t.Errorf("%s: %v, %d polls", name, got, m.polls)
			}
		})
	}
}

// The boundary is sharp, and a task that comes late is refused at once.
func TestATaskBeginsUntilItsEnd(t *testing.T) {
	for _, tc := range []struct {
		after time.Duration
		want  string
	}{{59 * time.Minute, "succeeded"}, {61 * time.Minute, "refused expired"}} {
		bubble(t, func(t *testing.T, m *machine) {
			r := m.order("Policy")
			time.Sleep(tc.after)
			m.push(r)
			if got := steps(m.answers()); got[len(got)-1] != tc.want {
				t.Errorf("after %v: %v", tc.after, got)
			}
		})
	}
}

// The greatest signed time outlives the process, the site's own word does not; on a machine that was not started anew
// the time in between counts, and a task counts as vouched for when it was issued.
func TestTheGreatestTimeIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id, time.Now().Add(time.Hour)))
		m.r.SiteTime(time.Now().Add(5 * time.Hour))
		synctest.Wait()
		_ = m.stop()
		time.Sleep(time.Minute)
		m.start()
		if now, want := m.r.clock.now(), time.Now().Add(time.Hour); !m.r.clock.known || !now.Equal(want) {
			t.Errorf("the same run of the machine: %v, want %v", now, want)
		}
		_ = m.stop()
		m.boots = "b"
		m.start()
		if now, want := m.r.clock.now(), time.Now().Add(59*time.Minute); m.r.clock.known || !now.Equal(want) {
			t.Errorf("another run of the machine: %v, want %v", now, want)
		}
		r := m.ask("Policy", func(r *wire.RequestMessage) {
			r.Issued, r.NotAfter = r.Issued.Add(3*time.Hour).Truncate(time.Second), r.NotAfter.Add(4*time.Hour)
		})
		if now := m.r.clock.now(); !now.Equal(r.Issued) {
			t.Errorf("after a task of %v: %v", r.Issued, now)
		}
		m.answers()
		kept, err := m.store.TaskTime()
		if err != nil || !kept.Time.Equal(r.Issued) {
			t.Errorf("kept is %v, %v", kept, err)
		}
	})
}

// A key, and a trust document, that the time has passed vouch for nothing.
func TestAfterTheEndOfAKeyNothingIsBelieved(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		end := m.doc.TaskKeys[0].NotAfter
		time.Sleep(time.Until(end) - time.Minute)
		m.clock()
		m.ask("Policy")
		m.expect("before it", "received", "running", "succeeded")
		time.Sleep(2 * time.Minute)
		m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id, time.Now().Add(time.Hour)))
		m.ask("Policy")
		m.expect("after it", "refused unknown_key")
		m.ask("Policy", func(r *wire.RequestMessage) { r.Issued = end.Add(-time.Hour) })
		m.expect("issued before it", "refused unknown_key")
		if now := m.r.clock.now(); now.After(end.Add(2 * time.Minute)) {
			t.Errorf("a time that was signed after it counts: %v", now)
		}
	})
}

// A folder holds sealed packs. One that is altered is none, and of several versions the highest counts.
func TestAFolderOfPacks(t *testing.T) {
	dir := t.TempDir()
	keys, err := trust.OpenKeys(dir+"/trust", trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	envelope, _ := keys.Document()
	doc, err := trust.Read(envelope)
	if err != nil {
		t.Fatal(err)
	}
	id, private := packKey(t, dir+"/trust", doc)
	f := PackFolder{Dir: dir, Trust: func() *trust.Document { return doc }}
	write := func(name, version string, alter bool) {
		sealed, err := packs.Seal(workXML(version, "linux", "1.0.0"), id, private)
		if err != nil {
			t.Fatal(err)
		}
		if alter {
			sealed[len(sealed)/2] ^= 1
		}
		if err := os.WriteFile(filepath.Join(dir, name), sealed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := func(version string) string { return packs.HashOf(workXML(version, "linux", "1.0.0")) }
	write("a.mp", "1.0.0.0", false)
	write("b.mp", "1.1.0.0", false)
	write("c.mp", "1.2.0.0", true)
	write("d.txt", "1.3.0.0", false)
	for _, tc := range []struct{ version, hash, want string }{{"1.1.0.0", hash("1.1.0.0"), ""},
		{"1.1.0.0", hash("1.0.0.0"), "another one"}, {"1.0.0.0", hash("1.0.0.0"), "version 1.1.0.0 is held"},
		{"1.2.0.0", hash("1.2.0.0"), "version 1.1.0.0 is held"}, {"1.3.0.0", hash("1.3.0.0"), "version 1.1.0.0 is held"}} {
		p, err := f.Get("Test.Work", tc.version, tc.hash)
		if tc.want == "" && (err != nil || p.Version.String() != tc.version) ||
			tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, %v", tc.version, p, err)
		}
	}
	if _, err := f.Get("Test.Other", "1.1.0.0", hash("1.1.0.0")); err == nil {
		t.Error("a pack that nobody has is held")
	}
}

// joined is a task's output as its state messages bring it.
func joined(t *testing.T, task uuid.UUID, states []cache.State) string {
	t.Helper()
	var whole []byte
	for i, s := range states {
		id, piece, ok := wire.ParseOutputTopic(s.TopicID)
		if !ok || id != task || piece != i+1 || s.Params[0] != fmt.Sprint(piece) || s.Params[1] != fmt.Sprint(len(states)) ||
			!s.Instant {
			t.Fatalf("piece %d of %s: %v", i, s.TopicID, s.Params)
		}
		text := []byte(s.Details)
		if s.DetailsType == wire.OutputBase64 {
			var err error
			if text, err = base64.StdEncoding.DecodeString(s.Details); err != nil {
				t.Fatal(err)
			}
		}
		whole = append(whole, text...)
	}
	return string(whole)
}
