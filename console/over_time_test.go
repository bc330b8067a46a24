package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"statewire/reports/reportstest"
	"statewire/reports/summary"
)

// olderSite is a site of eight machines with twelve days of history: an update that they needed ten days ago and that all
// but three have by now, a deployment and a baseline. Its days are counted.
func olderSite(t *testing.T) *reportstest.Seed {
	s := reportstest.NewSeed(t)
	var told []message
	var heard []report
	for c := 1; c <= 8; c++ {
		serial := uint64(0)
		say := func(days int, topic uint32, topicID string, state uint32) {
			serial++
			told = append(told, message{Client: c, Serial: serial, Ago: time.Duration(days)*day + hour, Topic: topic,
				ID: topicID, State: state})
		}
		say(12, 501, "apt", 3)
		say(10, 500, "{KB-OLD}", 2)
		say(9, 401, "Baseline-TLS", 1+uint32(c%2))
		say(8, 300, "{ROLLOUT}", 2)
		if c > 3 {
			say(c, 500, "{KB-OLD}", 3)
		}
		if c%2 == 0 {
			say(2, 300, "{ROLLOUT}", 1)
		}
		for _, ago := range []time.Duration{12*day + hour, hour} {
			heard = append(heard, report{Client: c, Name: fmt.Sprintf("PC-%04d", c), Received: ago,
				File: fmt.Sprintf("f%d-%d.SMX", c, ago), Messages: uint32(serial)})
		}
	}
	s.Reports(heard...)
	s.Messages(told...)
	s.Exec(`INSERT INTO collections (name, revision, kind, deleted) VALUES ('pilot', 1, 'list', 0)`)
	s.Exec(`INSERT INTO collection_clients (name, revision, client_id)
		SELECT 'pilot', 1, client_id FROM clients_seen WHERE client_id < toUUID('` + id(5).String() + `')`)
	if err := summary.New(time.Minute, summary.Deps{Store: s.Store}).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPagesAreAsOfADate(t *testing.T) {
	s := olderSite(t)
	h := handler(t, s)
	then := s.Now.Add(-6 * day).Format(time.DateOnly)
	for page, wants := range map[string][]string{
		"/":                             {},
		"/compliance":                   {},
		"/compliance?tab=baselines":     {},
		"/compliance?tab=deployments":   {},
		"/subjects/update/%7BKB-OLD%7D": {},
		"/machines":                     {},
		"/collections":                  {},
	} {
		w := get(t, h, page+map[bool]string{true: "&", false: "?"}[strings.Contains(page, "?")]+"as_of="+then)
		t.Log(page, w.Code, wants)
		if w.Code != http.StatusOK {
			t.Errorf("%s", w.Body)
		}
	}
}
