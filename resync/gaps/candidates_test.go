package gaps

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"statewire/smx"
)

// candidates are the clients to ask, as "client reason since/next/number".
func (s *site) candidates(opt CandidateOptions, limit int) (out []string) {
	s.t.Helper()
	err := s.finder.Candidates(s.t.Context(), opt, func(c Candidate) bool {
		for n := range 20 {
			if smx.ClientID(clientN(n)) == c.Client {
				asked := "never"
				if !c.Asked.IsZero() {
					asked = fmt.Sprint(c.Asked.Sub(epoch).Minutes())
				}
				out = append(out, fmt.Sprintf("%d %s %v next %d number %d asked %s", n, c.Reason,
					c.Since.Sub(epoch).Minutes(), c.NextSerial, c.Number, asked))
			}
		}
		return len(out) != limit
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func TestCandidatesComeInTheOrderOfIssue(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(3, 3))
	s.check(Options{At: minute(5)})
	s.arrived(2, run(2, 9))
	s.claim(2, 20)
	s.check(Options{At: minute(1)}) // an earlier clock
	s.polled(3, 1, 0, minute(0), 77)
	s.message(3, 1, 500, 78, minute(0), "")
	s.arrived(3, run(1, 1))
	s.event(4, event{1, 10, 1, 500, ""})
	s.event(4, event{1, 11, 2, 500, ""})
	s.arrived(4, run(5, 5)) // and a gap
	s.arrived(5, run(1, 1))
	s.check(Options{At: minute(7)})
	s.exec("INSERT INTO resyncs (client_id, number, issued_time, reason, next_serial) VALUES ('%s', 1, '%s', "+
		"'missing', 4), ('%s', 2, '%s', 'missing', 4), ('%s', 2, '%s', 'missing', 4)",
		clientN(1), minute(2).Format("2006-01-02 15:04:05"), clientN(1), minute(8).Format("2006-01-02 15:04:05"),
		clientN(1), minute(9).Format("2006-01-02 15:04:05"))
	conflict, differs := "4 conflict 7 next 6 number 0 asked never", "3 differs 7 next 2 number 0 asked never"
	claimed, asked := "2 missing 1 next 21 number 0 asked never", "1 missing 5 next 4 number 2 asked 8"
	tests := []struct {
		name  string
		opt   CandidateOptions
		limit int
		want  []string
	}{
		{"all, of each reason the oldest first", CandidateOptions{At: minute(60)}, 0,
			[]string{conflict, differs, claimed, asked}},
		{"until enough were taken", CandidateOptions{At: minute(60)}, 2, []string{conflict, differs}},
		{"young ranges are left out, conflicts and differences never",
			CandidateOptions{At: minute(60), MissingBefore: minute(4)}, 0, []string{conflict, differs, claimed}},
		{"who was asked lately is left out", CandidateOptions{At: minute(60), AskedBefore: minute(7)}, 0,
			[]string{conflict, differs, claimed}},
		{"times in the future are for the caller to judge",
			CandidateOptions{At: minute(3), MissingBefore: minute(-100), AskedBefore: minute(-100)}, 0,
			[]string{conflict, differs, asked}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.candidates(tt.opt, tt.limit); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
		})
	}
}

func TestIssuingTheSameNumberTwiceIsOneResync(t *testing.T) {
	s := newSite(t)
	s.arrived(1, run(2, 2))
	s.check(Options{At: epoch})
	for _, issued := range []time.Time{minute(5), minute(3), minute(4)} {
		s.exec("INSERT INTO resyncs (client_id, number, issued_time, reason, next_serial) VALUES ('%s', 1, '%s', "+
			"'missing', 3)", clientN(1), issued.Format("2006-01-02 15:04:05"))
	}
	for range 2 {
		if got := s.rows("SELECT number, issued_time FROM resyncs FINAL"); !slices.Equal(got,
			[]string{"(1,'2026-03-01 08:03:00.000000')"}) {
			t.Errorf("resyncs %v, want one, issued at the earliest time", got)
		}
		if got := s.rows("SELECT LastResyncIssuedTime FROM SR_ClientMessageStats"); !slices.Equal(got,
			[]string{"('2026-03-01 08:03:00.000000')"}) {
			t.Errorf("the view says %v", got)
		}
		s.exec("OPTIMIZE TABLE resyncs FINAL")
	}
}
