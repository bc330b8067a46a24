package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// JSON decoders put U+FFFD where text is none: two topics would become one before anybody looked.
func TestTheSocketRefusesTextThatJSONWouldChange(t *testing.T) {
	o := operate(t)
	plain := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, o.dir) },
	}}
	for topicID, want := range map[string]string{
		`job\ud800`:               `byte 46 is U+D800, half of a character`,
		`job\udc00\ud800`:         `byte 46 is U+DC00`,
		`job\ud800\u0041`:         `byte 46 is U+D800`,
		`\\\ud83dx`:               `byte 45 is U+D83D`,
		"job\xff":                 `byte 46 is byte 0xFF, which is no UTF-8`,
		"\xed\xa0\x80":            `byte 43 is U+D800`,
		`job\u0001`:               `topic id of topic 9100: character 4 is U+0001`,
		"\uFFFE":                  `character 1 is U+FFFE`,
		`job\\ud800 \ud83d\ude00`: ``,
		`\uFFFD`:                  ``,
	} {
		body := `{"states":[{"topic_type":9100,"topic_id":"` + topicID + `","state_id":1}]}`
		resp, err := plain.Post("http://agent/v1/states", "application/json", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if accepted := want == ""; (resp.StatusCode == http.StatusOK) != accepted || !strings.Contains(string(said), want) {
			t.Errorf("%q: %d %s, want %q", topicID, resp.StatusCode, said, want)
		}
	}
	_, err := o.client.Raise(t.Context(), RaiseRequest{States: []RaisedState{{TopicType: 9100, TopicID: "job\xfe",
		StateID: 1}}})
	var refused *Error
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest ||
		!strings.Contains(refused.Text, "character 4 is byte 0xFE") {
		t.Errorf("the client's own request: %v", err)
	}
	if n := summary(t, o.store).Unsent; n != 2 {
		t.Errorf("%d topics are kept, want the two sound ones", n)
	}
}
