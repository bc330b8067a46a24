package resync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"statewire/smx"
)

// Those who ask while a question is with the store are answered together by the next one, each with its own, and never
// by the one that was put before they asked.
func TestClientsThatEnrolAtOnceAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked [][]smx.ClientID
		answer := make(chan error)
		q := newQuestions(func(_ context.Context, clients []smx.ClientID) (map[smx.ClientID]storedSerials, error) {
			asked = append(asked, slices.Clone(clients))
			found := map[smx.ClientID]storedSerials{}
			for _, c := range clients {
				found[c] = storedSerials{greatest: uint64(c[0]), known: true, floor: uint64(len(asked))}
			}
			return found, <-answer
		})
		var wg sync.WaitGroup
		ask := func(client byte, number uint64, want error) {
			wg.Go(func() {
				got, err := q.of(t.Context(), smx.ClientID{client})
				if !errors.Is(err, want) || err == nil && got != (storedSerials{uint64(client), 0, true, number}) {
					t.Errorf("client %d got %+v, %v; want its own from question %d", client, got, err, number)
				}
			})
			synctest.Wait()
		}
		ask(1, 1, nil)
		for client := range byte(50) {
			ask(client+2, 2, nil)
		}
		gone, leave := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := q.of(gone, smx.ClientID{99}); !errors.Is(err, context.Canceled) {
				t.Errorf("whoever left got %v", err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		answer <- nil
		synctest.Wait()
		answer <- nil
		wg.Wait()
		if len(asked) != 2 || len(asked[0]) != 1 || len(asked[1]) != 51 {
			t.Errorf("%d questions, want one of 1 client and one of 51", len(asked))
		}
		away := errors.New("the store is away")
		ask(3, 3, away)
		answer <- away
		wg.Wait()
		ask(3, 4, nil) // nothing stays of it
		answer <- nil
		wg.Wait()
	})
}
