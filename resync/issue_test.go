package resync

import (
	"testing"
	"time"

	"statewire/resync/gaps"
	"statewire/smx"
)

func TestWhoIsAskedNow(t *testing.T) {
	now := today
	cfg := DefaultConfig()
	cfg.MaxOutstanding = 1
	plain := timeline{began: now.AddDate(0, 0, -30)}
	waits := gaps.Unread{Clients: map[smx.ClientID]struct{}{client(1): {}}}
	old := gaps.Candidate{Client: client(1), Reason: gaps.Missing, Since: now.Add(-48 * time.Hour), Number: 1,
		Asked: now.Add(-72 * time.Hour)}
	with := func(change func(*gaps.Candidate)) gaps.Candidate { w := old; change(&w); return w }
	others := owing{client(2): {client: client(2), issued: now.Add(-time.Hour)}}
	own := owing{client(1): {client: client(1), issued: now.Add(-time.Hour)}}
	tests := []struct {
		name   string
		want   gaps.Candidate
		line   timeline
		unread gaps.Unread
		owing  owing
		hold   string
	}{
		{"missing for 48 h, asked 72 h ago", old, plain, gaps.Unread{}, nil, ""},
		{"missing for less", with(func(w *gaps.Candidate) { w.Since = w.Since.Add(1) }), plain, gaps.Unread{}, nil,
			heldAge},
		{"asked less than 72 h ago", with(func(w *gaps.Candidate) { w.Asked = w.Asked.Add(1) }), plain, gaps.Unread{},
			nil, heldInterval},
		{"a conflict skips the age", with(func(w *gaps.Candidate) { w.Reason, w.Since = gaps.Conflict, now }), plain,
			gaps.Unread{}, nil, ""},
		{"a conflict keeps the interval", with(func(w *gaps.Candidate) { w.Reason, w.Asked = gaps.Conflict, now }),
			plain, gaps.Unread{}, nil, heldInterval},
		{"a difference skips the age", with(func(w *gaps.Candidate) { w.Reason, w.Since = gaps.Differs, now }), plain,
			gaps.Unread{}, nil, ""},
		{"a request skips age and interval",
			with(func(w *gaps.Candidate) { w.Reason, w.Since, w.Asked = reasonRequested, now, now }), plain,
			gaps.Unread{}, nil, ""},
		{"a request keeps the hold", with(func(w *gaps.Candidate) { w.Reason = reasonRequested }), plain, waits, nil,
			heldUnread},
		{"a request keeps the bound", with(func(w *gaps.Candidate) { w.Reason = reasonRequested }), plain,
			gaps.Unread{}, others, heldBound},
		{"a request of one that owes takes no other place",
			with(func(w *gaps.Candidate) { w.Reason = reasonRequested }), plain, gaps.Unread{}, own, ""},
		{"nor of one whose place was given back", with(func(w *gaps.Candidate) { w.Reason = reasonRequested }), plain,
			gaps.Unread{},
			owing{client(1): {client: client(1), issued: now.Add(-72 * time.Hour)}, client(2): others[client(2)]},
			heldBound},
		{"reports wait", old, plain, waits, nil, heldUnread},
		{"anybody's reports wait", old, plain, gaps.Unread{Everybody: true}, nil, heldUnknown},
		{"another's reports wait", with(func(w *gaps.Candidate) { w.Client = client(3) }), plain, waits, nil, ""},
		{"the bound is reached", old, plain, gaps.Unread{}, others, heldBound},
		{"who does not answer for 72 h gives the place back", old, plain, gaps.Unread{},
			owing{client(2): {issued: now.Add(-72 * time.Hour)}}, ""},
		{"detected in the future counts from the start",
			with(func(w *gaps.Candidate) { w.Since = now.AddDate(10, 0, 0) }), plain, gaps.Unread{}, nil, ""},
		{"detected before a doubtful start counts from it", with(func(w *gaps.Candidate) { w.Asked = time.Time{} }),
			timeline{epoch: now.Add(-time.Hour), before: now.AddDate(0, 0, -10)}, gaps.Unread{}, nil, heldAge},
		{"a clock that a person set is taken as it is",
			with(func(w *gaps.Candidate) { w.Since = now.AddDate(10, 0, 0) }), timeline{}, gaps.Unread{}, nil, heldAge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRound(now, test.line, cfg, test.unread, test.owing)
			if hold := r.take(test.want); hold != test.hold {
				t.Errorf("held by %q, want %q", hold, test.hold)
			}
			r.take(test.want)
			if asked := test.hold == ""; asked != (len(r.issue) == 1) || len(r.issue) > 1 {
				t.Errorf("issued %v", r.issue)
			}
		})
	}
}

func TestTheTimeToAnswerGoesOnWhereItStood(t *testing.T) {
	start := today
	last := start.AddDate(-10, 0, 0) // the last check, by the clock before
	line := timeline{}.follow(last, start)
	tests := []struct {
		name   string
		issued time.Time
		want   time.Duration
	}{
		{"an hour before the last check", last.Add(-time.Hour), 3 * time.Hour},
		{"since the start", start.Add(time.Hour), time.Hour},
		{"years in the future", start.AddDate(5, 0, 0), 2 * time.Hour},
	}
	now := start.Add(2 * time.Hour)
	for _, test := range tests {
		if got := line.askedFor(test.issued, now); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if since := line.issuedSince(now, test.want+1); !test.issued.After(since) {
			t.Errorf("%s: looked for since %s", test.name, since)
		}
	}
	if followed := (timeline{}).follow(start.Add(-6*24*time.Hour), start); !followed.epoch.IsZero() {
		t.Error("a pause of six days raises doubts")
	}
	for ahead, doubted := range map[time.Duration]bool{futureTolerance: false, futureTolerance + 1: true} {
		if followed := (timeline{}).follow(start.Add(ahead), start); followed.epoch.IsZero() == doubted {
			t.Errorf("a last check %v ahead: the clock is doubted %v", ahead, !doubted)
		}
	}
	if followed := line.follow(start.Add(time.Hour), start.Add(2*time.Hour)); followed.epoch != start ||
		followed.before != last {
		t.Errorf("another start forgets the doubt: %v", followed)
	}
}
