package local

import (
	"errors"
	"strings"
	"testing"

	"statewire/agent/agenttest"
)

// A person enrols the agent that runs: it goes on under its certificate.
func TestAnAgentThatRunsIsEnrolled(t *testing.T) {
	o, site := operate(t), agenttest.NewAuthority(t)
	site.Serial = 1432
	request := EnrollRequest{Relay: site.Listen(), Token: site.Token().String(), Wait: 60}
	got, err := o.client.Enroll(t.Context(), request)
	if err != nil || !got.Enrolled || got.Client != testIdentity.Client.String() || got.NextSerial != 1432 ||
		got.Certificate != "101" || got.ValidUntil.IsZero() || got.Site != site.Site.String() {
		t.Errorf("%+v, %v", got, err)
	}
	if asked := site.Enrolled[0]; asked.NetBIOSName != "host" || asked.ClientVersion != "1.2.3" {
		t.Errorf("it asked with %+v", asked)
	}
	status, err := o.client.Status(t.Context())
	if err != nil || status.Identity != got || status.LastSerial != 1431 {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestARefusedEnrolmentIsTheCallersToRead(t *testing.T) {
	o, site := operate(t), agenttest.NewAuthority(t)
	relay, token := site.Listen(), site.Token().String()
	for name, c := range map[string]struct {
		refusal agenttest.Refusal
		token   string
		status  int
		want    string
	}{
		"a token that is none": {agenttest.Refusal{}, "swe1.x", 400, "not an enrolment token"},
		"a token that was used": {agenttest.Refusal{Status: 403, Body: `{"code":"token_used"}`}, token, 503,
			"another token"},
		"an approval that does not come": {agenttest.Refusal{Status: 202, After: 60, Body: `{"pending":"7Q2M4KAB"}`},
			token, 503, "enroll approve 7Q2M4KAB"},
	} {
		site.Refuse = func(string, int) *agenttest.Refusal { return &c.refusal }
		_, err := o.client.Enroll(t.Context(), EnrollRequest{Relay: relay, Token: c.token, Wait: 0.2})
		var refused *Error
		if !errors.As(err, &refused) || refused.Status != c.status || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), token[14:50]) {
			t.Errorf("%s: the error shows a secret", name)
		}
	}
	if status, err := o.client.Status(t.Context()); err != nil || status.Identity.Enrolled ||
		status.Identity.Problem == "" && status.Identity.Pending == "" {
		t.Errorf("status %+v, %v", status.Identity, err)
	}
}
