package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/store/storetest"
)

// said is what machines said of a subject, as of a time or, where that is empty, now: the classes that hold for every
// moment. It holds each count against the machines behind it.
func (j *judged) said(subject, asOf string) string {
	j.t.Helper()
	about := "?limit=1000&subject=" + url.QueryEscape(subject) + "&as_of=" + url.QueryEscape(asOf)
	counts, behind := map[string]int{}, map[string]int{}
	sum, scope := 0, 0
	for _, row := range j.get("/api/v1/reports/subject" + about) {
		n := machinesOf(row["machines"])
		sum, scope = sum+n, machinesOf(row["scope_clients"])
		if n > 0 && spoken(row["class"]) {
			counts[classOf(row)] = n
		}
	}
	for _, row := range j.get("/api/v1/reports/subject-machines" + about) {
		if spoken(row["class"]) {
			behind[classOf(row)]++
		}
	}
	if fmt.Sprint(counts) != fmt.Sprint(behind) || sum != scope {
		j.t.Errorf("%s as of %q: %v, behind it %v; the classes add up to %d of %d", subject, asOf, counts, behind, sum, scope)
	}
	return fmt.Sprint(counts)
}

func spoken(class any) bool {
	return !slices.Contains([]string{"outside", "said_nothing", "not_known", "not_applicable_implied"}, class.(string))
}

// What a site said at a time is what it says as of that time: after more reports, after every file was loaded again while
// the site was killed, counted anew, and with a history that retention has dropped. It asks hundreds of questions: make test
// has the same in packages reports and summary.
func TestComplianceOverTimeFromOutside(t *testing.T) {
	if os.Getenv(longEnv) == "" {
		t.Skip("make long asks a running site what it said before")
	}
	t.Parallel()
	j := newJudged(t)
	rnd := rand.New(rand.NewPCG(storetest.Seed(t), 1))
	const day = 24 * time.Hour
	subjects := []string{"update/u2", "deployment/d1"}
	stages := 2 + times(t)
	at := func(stage int) time.Duration { return time.Duration(stages-stage)*30*time.Hour + time.Hour }
	asOf := func(ago time.Duration) string { return j.now.Add(-ago).UTC().Format(time.RFC3339Nano) }
	answered := map[string]string{}
	for stage := range stages {
		for client := 1; client <= 6; client++ {
			all := []tells{{501, "apt", 3, at(stage)}}
			if stage == 0 || rnd.IntN(2) == 0 {
				all = append(all, tells{500, "u1", 2 + uint32(rnd.IntN(2)), at(stage)},
					tells{500, "u2", 1 + uint32(rnd.IntN(3)), at(stage)}, tells{402, "u2", []uint32{5, 9, 11}[rnd.IntN(3)], at(stage)},
					tells{300, "d1", 1 + uint32(rnd.IntN(3)), at(stage)})
			}
			if client == 1 && stage == 1 {
				j.leaveOut(1) // comes late
			}
			j.put(at(stage), client, client, all...)
		}
		j.site.awaitDrained()
		for _, subject := range subjects {
			answered[asOf(at(stage))+" "+subject] = j.said(subject, "")
		}
	}
	check := func(when string) {
		t.Helper()
		for of, want := range answered {
			moment, subject, _ := strings.Cut(of, " ")
			if got := j.said(subject, moment); got != want {
				t.Errorf("%s: %s as of %s is %s, the site said %s", when, subject, moment, got, want)
			}
		}
	}
	check("at the end")

	for range times(t) { // every file again in another order, and the site dies in between
		for i, n := range rnd.Perm(len(j.files)) {
			if j.drop(j.files[n]); i == len(j.files)/2 {
				time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
				j.site.kill()
				j.site = serve(t, j.data, "--set", "reports.summary_interval=1s")
				j.site.awaitReady()
			}
		}
		j.site.awaitDrained()
	}
	done(t, j.data, "summary", "rebuild")
	check("loaded again and counted anew")
	j.daysAgree(subjects)

	// A report that a relay took between the first stage and the second comes now: the message of client 1 that was missing.
	before, after := asOf(at(1)+2*time.Minute), asOf(at(1)+30*time.Second)
	was := j.said("update/u1", before)
	last := j.serials[1]
	j.serials[1] = j.lost
	j.tell(at(1)+time.Minute, 1, 1, tells{500, "u1", 0, at(1) + time.Minute})
	j.serials[1] = last
	if got := j.said("update/u1", before); got != was {
		t.Errorf("before its stamp a late report changes %s to %s", was, got)
	}
	if got := j.said("update/u1", after); !strings.Contains(got, "said_unknown:1") {
		t.Errorf("after its stamp a late report is not in %s", got)
	}

	status, refused := fetch(t, j.site.reports+"/api/v1/reports/updates?as_of="+url.QueryEscape(asOf(400*day)))
	if status != http.StatusBadRequest || !strings.Contains(refused, "begins "+asOf(at(0))[:10]) {
		t.Errorf("before its history the site answers %d: %s", status, refused)
	}
	j.forgets(subjects)
}

// daysAgree holds days that were counted against the moment at their end.
func (j *judged) daysAgree(subjects []string) {
	j.t.Helper()
	yesterday := j.now.UTC().AddDate(0, 0, -1)
	counted := func() bool {
		return strings.Contains(command(j.t, j.data, "--format", "json", "status").out, "all that are over are counted")
	}
	if !eventually(patience, counted) {
		j.t.Errorf("not all days are counted: %s", command(j.t, j.data, "status").out)
	}
	end := yesterday.Truncate(24 * time.Hour).Add(24*time.Hour - 2*time.Microsecond).Format(time.RFC3339Nano)
	for _, subject := range subjects {
		kept, then := j.said(subject, yesterday.Format(time.DateOnly)), j.said(subject, end)
		if kept != then {
			j.t.Errorf("%s at the end of yesterday: kept %s, counted %s", subject, kept, then)
		}
	}
}

// forgets drops the history, and asks what stays.
func (j *judged) forgets(subjects []string) {
	j.t.Helper()
	now := map[string]string{}
	for _, subject := range subjects {
		now[subject] = j.said(subject, "")
	}
	j.site.signal(syscall.SIGTERM)
	j.site.wait(patience)
	j.site = serve(j.t, j.data, "--set", "store.retention=1h", "--retention-now")
	j.site.awaitReady()
	dropped := func() bool {
		return strings.Contains(done(j.t, j.data, "--format", "csv", "sql", "SELECT count() FROM state_messages"), "\n0\n")
	}
	if !eventually(patience, dropped) {
		j.t.Error("the history is not dropped")
	}
	for subject, want := range now {
		if got := j.said(subject, ""); got != want {
			j.t.Errorf("without history %s is %s, before %s", subject, got, want)
		}
		if got := j.said(subject, time.Now().UTC().Format(time.RFC3339Nano)); got != want {
			j.t.Errorf("without history %s as of now is %s, before %s", subject, got, want)
		}
	}
}
