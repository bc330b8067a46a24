package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"statewire/smx"
	"statewire/smx/policy"
)

// errUntrusted is what a policy ends with that nobody vouches for.
var errUntrusted = errors.New("a policy is taken only over TLS from a relay whose certificate was checked: give the " +
	"agent an https address and the authority or pin")

// Policy implements Relay. It takes a policy only from the relay it was made for, over a connection whose certificate
// was checked.
func (s *Sender) Policy(ctx context.Context, poll smx.Poll, etag string) PolicyAnswer {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.policy+"?"+pollQuery(poll), nil)
	if err != nil {
		return PolicyAnswer{Outcome: Again, Err: err}
	}
	req.Header.Set("Accept", "application/xml")
	req.Header.Set("User-Agent", "statewire-agent")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return PolicyAnswer{Outcome: Again, Err: err}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, policy.MaxBytes+1))
	answer := s.judgePolicy(resp, text, err)
	resp.Body.Close()
	s.heard(answer.Status, answer.Code)
	return answer
}

func pollQuery(p smx.Poll) string {
	return url.Values{
		"client": {p.Client.String()},
		"serial": {strconv.FormatUint(p.LastSerial, 10)},
		"states": {strconv.FormatUint(uint64(p.States), 10)},
		"digest": {fmt.Sprintf("%016x", p.Digest)},
		"unsent": {strconv.FormatUint(uint64(p.Unsent), 10)},
	}.Encode()
}

// judgePolicy reads the relay's answer. Only a whole 200 is a policy; a redirect is none.
func (s *Sender) judgePolicy(resp *http.Response, text []byte, readErr error) PolicyAnswer {
	answer := PolicyAnswer{Outcome: Again, Status: resp.StatusCode, After: RetryAfter(resp.Header), Err: readErr}
	trusted := resp.TLS != nil && (len(resp.TLS.VerifiedChains) > 0 || s.pinned)
	switch code := resp.StatusCode; {
	case !trusted:
		answer.Outcome, answer.Err = Refused, errUntrusted
	case readErr != nil:
	case code == http.StatusOK && !bytes.Contains(text, []byte("<Policy")):
		answer.Outcome, answer.Err = Refused, ErrNotRelay
	case code == http.StatusOK:
		answer.Outcome, answer.Document, answer.ETag = Accepted, text, resp.Header.Get("ETag")
	case code == http.StatusNotModified:
		answer.Outcome = Idle
	default:
		var said struct{ Code, Detail string }
		_ = json.Unmarshal(text, &said) // a text that is no problem document leaves it empty
		answer.Code, answer.Detail, answer.Err = said.Code, said.Detail,
			fmt.Errorf("the relay answered %d %s %s", code, said.Code, said.Detail)
		if foreign(code, said.Code) {
			answer.Err = ErrNotRelay
		}
		if code/100 == 4 && !passing(code) {
			answer.Outcome = Refused
		}
	}
	return answer
}
