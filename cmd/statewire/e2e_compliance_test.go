package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/smx"
)

func newJudged(t *testing.T, args ...string) *judged {
	t.Helper()
	data := siteDir(t)
	site := serve(t, data, append([]string{"--set", "reports.summary_interval=1s"}, args...)...)
	site.awaitReady()
	return &judged{t: t, site: site, data: data, now: time.Now(), serials: map[int]uint64{}}
}

// tells is one message: of a topic in a state, so long ago by the client's clock.
type tells struct {
	topic uint32
	id    string
	state uint32
	ago   time.Duration
}

// tell loads a file of one report of each client from first to last, all of which arrived so long ago.
func (j *judged) tell(arrived time.Duration, first, last int, all ...tells) {
	j.t.Helper()
	j.put(arrived, first, last, all...)
	j.site.awaitDrained()
}

// put drops that file, and does not wait until it is loaded.
func (j *judged) put(arrived time.Duration, first, last int, all ...tells) {
	j.t.Helper()
	var reports []smx.Accepted
	for client := first; client <= last; client++ {
		received := j.now.Add(-arrived)
		r := &smx.Report{Header: smx.Header{Client: clientID(client), ClientInstalled: 1, ClientType: 1, LCID: 1033,
			Priority: smx.NoPriority, ClientVersion: "5.00.9128.1000", NetBIOSName: fmt.Sprintf("PC-%03d", client),
			CodePage: "437", Date: received}}
		for _, s := range all {
			j.serials[client]++
			r.Messages = append(r.Messages, smx.Message{Time: j.now.Add(-s.ago), Serial: j.serials[client],
				TopicType: s.topic, TopicID: s.id, TopicIDType: 3, StateID: s.state})
		}
		checked, err := smx.NewDecoder().Check(smx.AppendReport(nil, r))
		if err != nil {
			j.t.Fatal(err)
		}
		reports = append(reports, smx.Accepted{Client: checked.Client, Received: received, Messages: checked.Messages,
			Body: slices.Clone(checked.Body)})
	}
	j.files = append(j.files, smx.AppendFile(nil, reports))
	j.drop(j.files[len(j.files)-1])
}

func (j *judged) drop(file []byte) {
	j.t.Helper()
	j.dropped++
	name := fmt.Sprintf("told-%04d.SMX", j.dropped)
	whole := filepath.Join(j.data, name)
	if err := os.WriteFile(whole, file, 0o600); err != nil {
		j.t.Fatal(err)
	}
	if err := os.Rename(whole, filepath.Join(boxOf(j.data), "incoming", name)); err != nil {
		j.t.Fatal(err)
	}
}

// leaveOut takes a serial of a client that does not arrive.
func (j *judged) leaveOut(client int) {
	j.lost = j.serials[client]
	j.serials[client]++
}

// answer is what a report says, over HTTP and as the command line prints it: both say the same.
func (j *judged) answer(report string, params ...string) []map[string]any {
	j.t.Helper()
	query, args := url.Values{"limit": {"1000"}}, []string{"--format", "json", "report", report, "--limit", "1000"}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		query.Set(name, value)
		args = append(args, "--param", p)
	}
	rows := j.get("/api/v1/reports/" + report + "?" + query.Encode())
	var printed struct{ Rows []map[string]any }
	if err := json.Unmarshal([]byte(done(j.t, j.data, args...)), &printed); err != nil {
		j.t.Fatal(err)
	}
	if !reflect.DeepEqual(rows, printed.Rows) {
		j.t.Errorf("%s %v: the API says\n%v\nthe command line\n%v", report, params, rows, printed.Rows)
	}
	return rows
}

// figures is how the clients of a scope stand on a subject.
type figures struct {
	head   string         // counted population/scope, percent/percent_low/known_percent
	counts map[string]int // by class, or by class and cause, without those of nobody
}

func (f figures) String() string {
	out := f.head + ":"
	for _, name := range slices.Sorted(maps.Keys(f.counts)) {
		out += fmt.Sprintf(" %s %d", name, f.counts[name])
	}
	return out
}

// sum adds up some classes.
func (f figures) sum(classes ...string) (n int) {
	for name, machines := range f.counts {
		if class, _, _ := strings.Cut(name, " "); slices.Contains(classes, class) {
			n += machines
		}
	}
	return n
}

// stands says how the clients of the site, or of a collection, stand on a subject: the classes add up to the scope, and
// each has as many machines behind it as it says.
func (j *judged) stands(subject, collection string) figures {
	j.t.Helper()
	about := "?limit=1000&subject=" + url.QueryEscape(subject) + "&collection=" + collection
	rows := j.get("/api/v1/reports/subject" + about)
	if len(rows) == 0 {
		j.t.Fatalf("subject %s has no row", subject)
	}
	f, all, behind := figures{counts: map[string]int{}}, 0, map[string]int{}
	for _, row := range rows {
		machines := machinesOf(row["machines"])
		if all += machines; machines > 0 {
			f.counts[classOf(row)] = machines
		}
	}
	for _, class := range []string{"", "outside"} { // who does not count is listed only when asked for
		for _, row := range j.get("/api/v1/reports/subject-machines" + about + "&class=" + class) {
			behind[classOf(row)]++
		}
	}
	first := rows[0]
	if scope := machinesOf(first["scope_clients"]); all != scope || !maps.Equal(behind, f.counts) {
		j.t.Logf("%s in %q: %v of %d clients, behind them %v", subject, collection, f, scope, behind)
		f.head = "does not add up: "
	}
	f.head += fmt.Sprintf("%v %v/%v, %v/%v/%v", first["counted"], first["population"], first["scope_clients"],
		text(first["percent"]), text(first["percent_low"]), text(first["known_percent"]))
	return f
}

func classOf(row map[string]any) string {
	return strings.TrimSpace(fmt.Sprint(row["class"], " ", row["cause"]))
}

// alike holds everything that tells of a subject against each other: the command line against the API, the subject's own
// address against its report, and each link against its number.
func (j *judged) alike(subject, collection string) {
	j.t.Helper()
	rows := j.answer("subject", "subject="+subject, "collection="+collection)
	var own struct {
		Counted string
		Classes []map[string]any
	}
	j.getInto("/api/v1/subjects/"+subject+"?collection="+collection, &own)
	if !reflect.DeepEqual(own.Classes, rows) || own.Counted != rows[0]["counted"] {
		j.t.Errorf("%s: its address says %s %v, the report %v", subject, own.Counted, own.Classes, rows)
	}
	for _, row := range rows {
		if machinesOf(row["machines"]) == 0 {
			continue
		}
		if behind := len(j.get(row["link"].(string) + "&limit=1000")); behind != machinesOf(row["machines"]) {
			j.t.Errorf("%s in %q: %v machines are %s, behind the link %d", subject, collection, row["machines"], classOf(row),
				behind)
		}
	}
	kind, _, _ := strings.Cut(subject, "/")
	j.answer(kind+"s", "collection="+collection)
}

// is compares how clients stand on a subject, and what the list of its kind says of it, with the rule. What the site
// keeps ready for its lists, and who waits in the inbox, is as of its last look.
func (j *judged) is(subject, collection, want string) {
	j.t.Helper()
	var got figures
	if !eventually(patience, func() bool { got = j.stands(subject, collection); return got.String() == want }) {
		j.t.Errorf("%s in %q is\n%s\nwant\n%s", subject, collection, got, want)
		return
	}
	kind, id, _ := strings.Cut(subject, "/")
	row, listed := got.listed(kind), ""
	if !eventually(patience, func() bool { listed = j.listed(kind, id, collection); return listed == row }) {
		j.t.Errorf("%ss has of %s in %q\n%s\nwant\n%s", kind, id, collection, listed, row)
	}
}

// listed is what the list of a kind has to say for these figures.
func (f figures) listed(kind string) string {
	percents := strings.Split(strings.TrimPrefix(f.head, strings.SplitAfter(f.head, ", ")[0]), "/")
	last, _, _ := strings.Cut(f.head, " ")
	if kind == "deployment" {
		last = percents[1]
	}
	return fmt.Sprintf("%d %d %d %d %d %d %d %d %s %s", f.sum("compliant"), f.sum("bad"), f.sum("pending"), f.sum("restart"),
		f.sum("failed"), f.sum("not_applicable", "not_applicable_implied"), f.sum("said_unknown", "not_known"),
		f.sum("outside"), percents[0], last)
}

// listed is what the list of a kind says of a subject.
func (j *judged) listed(kind, id, collection string) string {
	j.t.Helper()
	columns := []string{"compliant", "bad", "pending", "restart", "failed", "not_applicable", "not_known", "outside", "percent",
		"counted"}
	if kind == "deployment" {
		columns = []string{"success", "bad", "in_progress", "restart", "error", "not_applicable", "not_known", "outside", "percent",
			"percent_low"}
	}
	for _, row := range j.get("/api/v1/reports/" + kind + "s?limit=1000&collection=" + collection) {
		if row["topic_id"] != id {
			continue
		}
		var cells []string
		for _, c := range columns {
			cells = append(cells, text(row[c]))
		}
		return strings.Join(cells, " ")
	}
	return "nothing"
}

// Every example of docs/compliance.md, told by files in the inbox of one site, as the command line, the API and the
// lists answer it. It asks some two hundred questions of a site, which takes minutes: make test has the same examples in
// package reports.
func TestTheRuleFromOutside(t *testing.T) {
	if os.Getenv(longEnv) == "" {
		t.Skip("make long tells the examples to a running site")
	}
	t.Parallel()
	const curl, hour, day = "update/curl=7.88.1-10+deb12u15", time.Hour, 24 * time.Hour
	const id = "curl=7.88.1-10+deb12u15"
	j := newJudged(t)
	check := func() { t.Helper(); done(t, j.data, "resync", "check") }
	collect := func(name string, clients ...int) {
		t.Helper()
		args := []string{"collection", "create", name}
		for _, n := range clients {
			args = append(args, "--client", clientID(n).UUID())
		}
		done(t, j.data, args...)
	}
	scan := func(ago time.Duration) tells { return tells{501, "apt", 3, ago} }

	// 1. One machine requires it, one has it, 290 scanned since, 10 before; one of them ten days ago.
	j.tell(240*hour, 302, 302, scan(240*hour))
	j.tell(6*hour, 293, 301, scan(6*hour))
	j.tell(5*hour, 1, 1, tells{500, id, 2, 5 * hour})
	j.tell(5*hour, 2, 2, tells{500, id, 3, 5 * hour})
	j.tell(4*hour, 3, 292, scan(4*hour))
	const one = "scanned 302/302, 50/8.3/96.6: bad 1 compliant 1 not_applicable_implied 290 not_known not_scanned 10"
	j.is(curl, "", one)
	j.alike(curl, "")
	// 4. The same in a collection of one that requires it and four that scanned.
	collect("web", 1, 3, 4, 5, 6)
	j.is(curl, "web", "scanned 5/5, 0/0/100: bad 1 not_applicable_implied 4")
	j.answer("updates", "collection=web")
	// 9. The machine of ten days ago answers a resync today; a scan that runs takes nothing from the one before it.
	j.tell(0, 302, 302, scan(240*hour))
	j.tell(0, 3, 3, tells{501, "apt", 2, 0})
	j.is(curl, "", one)
	// 7. A client with a missing range scans; the range closes.
	j.leaveOut(4)
	j.tell(3*hour, 4, 4, scan(3*hour))
	check()
	j.is(curl, "", "scanned 302/302, 50/7.6/96.3: bad 1 compliant 1 not_applicable_implied 289 not_known gap 1 "+
		"not_known not_scanned 10")
	j.serials[4] = 1
	j.tell(2*hour, 4, 4, scan(3*hour))
	j.serials[4] = 3
	check()
	j.is(curl, "", one)
	// 1. Two hours later the ten have scanned.
	j.tell(2*hour, 293, 302, scan(2*hour))
	const later = "scanned 302/302, 50/50/100: bad 1 compliant 1 not_applicable_implied 300"
	j.is(curl, "", later)
	// 5. Required, and its installation waits for a restart.
	j.tell(hour, 1, 1, tells{500, "x", 2, 5 * hour}, tells{402, "x", 9, 5 * hour})
	j.is("update/x", "web", "scanned 5/5, 0/0/20: not_known not_scanned 4 restart 1")
	// 6. Nobody needs it.
	j.tell(5*hour, 2, 2, tells{500, "none", 1, 5 * hour})
	j.is("update/none", "", "scanned 301/302, //100: not_applicable 1 not_applicable_implied 300 outside 1")
	if !eventually(patience, func() bool { return len(j.get("/api/v1/reports/restart-pending")) == 1 }) ||
		j.get("/api/v1/reports/restart-pending")[0]["computer"] != "PC-001" {
		t.Errorf("restart-pending has %v", j.get("/api/v1/reports/restart-pending"))
	}

	// 2. A deployment without a target; 52 of 500 ever spoke of it.
	j.tell(hour, 303, 345, tells{300, "office", 1, day})
	j.tell(hour, 346, 348, tells{300, "office", 2, day}, tells{301, "office", 1, day})
	j.tell(hour, 349, 354, tells{300, "office", 2, day}, tells{301, "office", 6, day})
	hello := tells{20001, "hello", 1, day}
	j.tell(hour, 355, 355, hello)
	j.leaveOut(355)
	j.tell(hour, 355, 355, hello)
	j.tell(20*day, 356, 357, hello)
	j.tell(hour, 358, 500, hello)
	check()
	const office = "deployment/office"
	j.is(office, "", "reported 52/500, 82.6/82.6/100: compliant 43 failed 6 outside 448 pending 3")
	// 3. The same with a target of 55; of the 3 that said nothing one has a gap, two are silent.
	members := make([]int, 55)
	for i := range members {
		members[i] = 303 + i
	}
	collect("servers", members...)
	done(t, j.data, "target", "set", office, "--collection", "servers")
	const three = "targeted 55/500, 82.6/78.1/94.5: compliant 43 failed 6 not_known gap 1 not_known silent 2 outside 445 pending 3"
	j.is(office, "", three)
	j.alike(office, "")
	// 8. Every file again, in the other order.
	for _, file := range slices.Backward(j.files) {
		j.drop(file)
	}
	j.site.awaitDrained()
	check()
	done(t, j.data, "summary", "rebuild")
	j.is(curl, "", strings.Replace(later, "302/302", "302/500", 1)+" outside 198")
	j.is(office, "", three)
}
