package console

import (
	"testing"
	"time"

	"statewire/console/web"
	"statewire/reports"
)

func TestAChangeIsSaidInWordsWithTheirTones(t *testing.T) {
	at := time.Date(2026, 11, 10, 8, 0, 0, 0, time.UTC)
	row := reports.Record{"at": at, "title": "KB1", "topic_id": "{1}", "subject": "update/{1}", "before": "bad",
		"class": "restart", "state_name": "Pending system restart", "serial": uint64(7)}
	want := web.Change{At: at, Title: "KB1", ID: "{1}", Link: "/subjects/update/%7B1%7D?as_of=2026-11-11",
		Before: web.Word{Text: "required", Tone: web.ToneBad}, After: web.Word{Text: "restart", Tone: web.ToneBusy},
		State: "Pending system restart", Trace: "/clients/c?serial=7#trace"}
	if got := changeOf(row, "c", "2026-11-11"); got != want {
		t.Errorf("%+v", got)
	}
	first := changeOf(reports.Record{"subject": "scan/", "before": "", "class": "compliant"}, "c", "")
	if first.Before.Text != "nothing said" || first.Link != "/subjects/scan/" || first.Title != "(no id)" ||
		first.Trace != "" {
		t.Errorf("%+v", first)
	}
}
