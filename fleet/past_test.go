package fleet

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"statewire/internal/topics"
	"statewire/smx"
)

// pastFleet is a fleet of which only the past is asked for.
func pastFleet(t *testing.T, seed uint64, clients int) *Fleet {
	t.Helper()
	cfg := testFleet(clients)
	cfg.Seed = seed
	return makeFleet(t, cfg, newSite(t))
}

// arrivals are the reports of a fleet's past, one file each, as they arrived.
func arrivals(t *testing.T, f *Fleet) (all []smx.Batch) {
	t.Helper()
	decoder := smx.NewDecoder()
	err := f.History(t.Context(), func(reports []PastReport) error {
		for i := range reports {
			var b smx.Batch
			if err := decoder.Decode(smx.AppendFile(nil, reports[i:i+1]), &b); err != nil {
				return err
			}
			all = append(all, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b smx.Batch) int {
		return cmp.Compare(a.Reports[0].Received, b.Reports[0].Received)
	})
	return all
}

// ofClients are reports by their clients.
func ofClients(all []smx.Batch) map[smx.ClientID][]smx.Batch {
	of := map[smx.ClientID][]smx.Batch{}
	for _, b := range all {
		of[b.Reports[0].Client] = append(of[b.Reports[0].Client], b)
	}
	return of
}

// ago is how long before Run a time was.
func (f *Fleet) ago(micros int64) time.Duration { return f.clock.at(0).Sub(time.UnixMicro(micros)) }

// needs is who needs the update of an id, by what arrived until some time before Run.
func needs(f *Fleet, all []smx.Batch, id string, until time.Duration) map[smx.ClientID]bool {
	who := map[smx.ClientID]bool{}
	for _, b := range all {
		if f.ago(b.Reports[0].Received) < until {
			break
		}
		for i := range b.Serial {
			if b.TopicType[i] == topics.UpdateDetection && b.TopicID[i] == id {
				who[b.Reports[0].Client] = b.StateID[i] == 2
			}
		}
	}
	maps.DeleteFunc(who, func(_ smx.ClientID, needed bool) bool { return !needed })
	return who
}

// TestEachPatchDayBurnsDown counts by arrival who needs each update of the past: nobody before its patch day, two days
// later everybody who was there, after two weeks less than half of them, and in the end those who did not finish.
func TestEachPatchDayBurnsDown(t *testing.T) {
	f := pastFleet(t, 1, 300)
	all := arrivals(t, f)
	of := ofClients(all)
	for i := range f.catalog.updates {
		u := &f.catalog.updates[i]
		if u.ago == 0 {
			continue
		}
		patchDay := time.Duration(u.ago) * patchMonth
		if early := needs(f, all, u.detection.id, patchDay); len(early) > 0 {
			t.Errorf("%d machines need update %d before its patch day", len(early), i)
		}
		risen, fallen := needs(f, all, u.detection.id, patchDay-2*simulatedDay),
			needs(f, all, u.detection.id, patchDay-14*simulatedDay)
		if len(risen) < 5 || len(fallen)*2 >= len(risen) {
			t.Errorf("update %d: %d machines need it after two days, %d after 14", i, len(risen), len(fallen))
		}
		left := needs(f, all, u.detection.id, 0)
		if len(left)*5 > len(risen) {
			t.Errorf("update %d: %d of %d machines need it in the end", i, len(left), len(risen))
		}
		for _, c := range f.clients {
			id := c.machine.id.Client
			there := f.ago(of[id][0].Reports[0].Received) > patchDay && c.silentFor < patchDay-2*simulatedDay
			if there && risen[id] != (u.on&c.machine.on != 0) {
				t.Errorf("update %d is needed by %s two days after its patch day: %v", i, c.machine.id.NetBIOSName, risen[id])
			}
			unfinished := slices.ContainsFunc(c.planner.open, func(l leftover) bool { return l.update == u })
			if left[id] != unfinished {
				t.Errorf("update %d is needed by %s in the end: %v; unfinished: %v", i, c.machine.id.NetBIOSName, left[id],
					unfinished)
			}
		}
	}
}

// TestAClientOfThePastBeginsWithItsInstallation also holds it against its end, and each report against the one before.
func TestAClientOfThePastBeginsWithItsInstallation(t *testing.T) {
	f := pastFleet(t, 2, 200)
	of := ofClients(arrivals(t, f))
	for _, c := range f.clients {
		name, reports := c.machine.id.NetBIOSName, of[c.machine.id.Client]
		installed, last, serial := reports[0].Time[0], int64(0), uint64(0)
		if reports[0].TopicType[0] != topics.ClientInstall {
			t.Errorf("%s first says something of topic %d", name, reports[0].TopicType[0])
		}
		for _, b := range reports {
			received := b.Reports[0].Received
			if received <= last {
				t.Errorf("%s: a report arrived %v before Run, after one %v before", name, f.ago(received), f.ago(last))
			}
			last = received
			for i := range b.Serial {
				if b.Serial[i] != serial+1 || b.Time[i] < installed || b.Time[i] > received {
					t.Errorf("%s, installed %v before Run: serial %d after %d, of %v before, arrived %v before", name,
						f.ago(installed), b.Serial[i], serial, f.ago(b.Time[i]), f.ago(received))
				}
				serial = b.Serial[i]
			}
		}
		if silent := f.ago(last); silent < max(c.silentFor-time.Hour, time.Hour) || silent > max(c.silentFor, 60*time.Hour) {
			t.Errorf("%s was last heard %v before Run; it is silent for %v", name, silent, c.silentFor)
		}
	}
}

// TestDeploymentsOfThePastGoFromPendingToSuccess holds each client's deployments against its updates.
func TestDeploymentsOfThePastGoFromPendingToSuccess(t *testing.T) {
	f := pastFleet(t, 3, 150)
	of := ofClients(arrivals(t, f))
	success, failed := 0, 0
	for _, c := range f.clients {
		said := map[string][]uint32{}
		for _, b := range of[c.machine.id.Client] {
			for i := range b.Serial {
				key := fmt.Sprint(b.TopicType[i], b.TopicID[i])
				said[key] = append(said[key], b.StateID[i])
			}
		}
		for ago := 1; ago <= monthsBefore; ago++ {
			d := c.planner.deployment(ago)
			compliance := said[fmt.Sprint(topics.DeploymentCompliance, d.compliance.id)]
			enforcement := said[fmt.Sprint(topics.DeploymentEnforcement, d.enforcement.id)]
			if len(compliance) == 0 && c.silentFor > time.Duration(ago)*patchMonth-simulatedDay-6*pause {
				continue // it was silent by then
			}
			open := slices.ContainsFunc(c.planner.open, func(l leftover) bool { return l.update.ago == ago })
			want := map[bool][2]uint32{false: {1, 4}, true: {2, 6}}[open]
			if n, m := len(compliance), len(enforcement); n != 2 || compliance[0] != 2 || compliance[1] != want[0] || m < 2 ||
				enforcement[0] != 8 || enforcement[m-1] != want[1] {
				t.Errorf("%s, %d months ago: compliance %v, enforcement %v; want %v at the end", c.machine.id.NetBIOSName, ago,
					compliance, enforcement, want)
			}
			if open {
				failed++
			} else {
				success++
			}
		}
	}
	if failed == 0 || failed*5 > success {
		t.Errorf("%d deployments failed, %d went well", failed, success)
	}
}

// TestThePastIsSmall bounds what a demo loads before anything else.
func TestThePastIsSmall(t *testing.T) {
	for seed := range uint64(3) {
		f := pastFleet(t, seed, 100)
		all := arrivals(t, f)
		messages := 0
		for _, b := range all {
			messages += len(b.Serial)
		}
		if len(all) >= 1000 || messages > 100*70 {
			t.Errorf("seed %d: %d reports with %d messages of 100 clients", seed, len(all), messages)
		}
	}
}

func TestSameSeedSamePast(t *testing.T) {
	past := func(seed uint64) (text []byte) {
		f := pastFleet(t, seed, 30)
		err := f.History(t.Context(), func(reports []PastReport) error {
			text = smx.AppendFile(text, reports)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := past(5)
	if !bytes.Equal(past(5), first) {
		t.Error("the same seed gave another past")
	}
	if bytes.Equal(past(6), first) {
		t.Error("another seed gave the same past")
	}
}

// TestThePastEndsTheSameWithoutHistory compares what clients hold that told everything in one report.
func TestThePastEndsTheSameWithoutHistory(t *testing.T) {
	ends := func(f *Fleet, c *simulated) (text string) {
		held, err := f.stores.(*memoryStores).get(c.machine.id.Client).Held()
		if err != nil {
			t.Fatal(err)
		}
		for i := range held {
			h := &held[i]
			text += fmt.Sprintln(h.TopicType, h.TopicID, h.StateID, h.Params, h.Time)
		}
		return text
	}
	told, once := pastFleet(t, 7, 60), pastFleet(t, 7, 60)
	arrivals(t, told)
	for i, c := range once.clients {
		if err := c.recall(); err != nil {
			t.Fatal(err)
		}
		if one, all := ends(once, c), ends(told, told.clients[i]); one != all {
			t.Errorf("%s holds in one report\n%sand in many\n%s", c.machine.id.NetBIOSName, one, all)
		}
	}
}

// TestEachPatchDayIsReleasedInAMonthOfItsOwn looks at every day of four years.
func TestEachPatchDayIsReleasedInAMonthOfItsOwn(t *testing.T) {
	for day := range 4 * 366 {
		today := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)
		for ago := range 1 + monthsBefore {
			got, patchDay := released(today, ago), today.AddDate(0, 0, -28*ago)
			months := (today.Year()-got.Year())*12 + int(today.Month()-got.Month())
			if months != ago || got.After(patchDay) || patchDay.Sub(got) > 8*simulatedDay {
				t.Errorf("the patch day %s, %d before that of %s, is released %s", patchDay.Format(time.DateOnly), ago,
					today.Format(time.DateOnly), got.Format(time.DateOnly))
			}
		}
	}
}
