package console

import (
	"strings"
	"testing"

	"statewire/reports/reportstest"
)

func TestNoPageLetsHostileTextOut(t *testing.T) {
	s := reportstest.HostileSite(t)
	t.Run("pages: no element or attribute comes from data", func(t *testing.T) {
		site := serveSeeded(t, s)
		for _, page := range []string{"/", "/reports/clients-in-state?topic_type=402&state_id=11",
			"/reports/clients?name=%3Cscript%3Ealert(1)%3C/script%3E",
			"/reports/compliance?topic_type=402", "/reports/bad-files",
			"/reports/client-states?client=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/reports/%3Cscript%3E",
			"/reports/failing-clients?topic_type=402&state_id=11&code=0x80240022",
			"/reports/clients?min_age_hours=%3Cscript%3Ealert(1)%3C/script%3E", "/panels/set-aside",
			"/completeness", "/clients/" + id(10).String() + "?serial=1&topic=402%2F%3Cscript%3Ealert(1)%3C/script%3E",
			"/clients/" + id(11).String() + "?serial=%3Cscript%3Ealert(1)%3C/script%3E",
			"/clients/%3Cscript%3Ealert(1)%3C%2Fscript%3E"} {
			body := fetch(t, site+page)
			for _, bad := range []string{"<script>alert", "<img src=x", "onmouseover='alert", "onerror=alert(1)>",
				`href="javascript:`, "\x1b", "</title></table>"} {
				if strings.Contains(body, bad) {
					t.Errorf("%s holds %s", page, bad)
				}
			}
		}
	})
}
