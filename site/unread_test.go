package site

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"statewire/internal/serials"
	"statewire/smx"
)

// What waits brings runs of serials, as far as its bytes may be read; that not all were read is known.
func TestSerialsOfWaitingFilesAreReadUpToABound(t *testing.T) {
	client := smx.ClientID{15: 3}
	file := func(runs ...[2]uint64) (all []byte) {
		for _, run := range runs {
			r := smx.Report{Header: smx.Header{Client: client, ClientInstalled: 1, ClientType: 1, Priority: smx.NoPriority,
				ClientVersion: "5.0", NetBIOSName: "PC", CodePage: "437", Date: time.Now()}}
			for serial := run[0]; serial <= run[1]; serial++ {
				r.Messages = append(r.Messages, smx.Message{Time: time.Now(), Serial: serial, TopicType: 500, TopicID: "{update}",
					TopicIDType: 3, StateID: 1})
			}
			all = smx.AppendReport(all, &r)
		}
		return all
	}
	first, second := file([2]uint64{1, 3}), file([2]uint64{4, 5})
	third := file([2]uint64{8, 8})
	for _, tc := range []struct {
		name   string
		left   int
		want   []serials.Run
		partly bool
	}{
		{"all may be read", len(first) + len(second) + len(third), []serials.Run{{First: 1, Last: 5}, {First: 8, Last: 8}},
			false},
		{"one byte less", len(first) + len(second) + len(third) - 1, []serials.Run{{First: 1, Last: 5}}, true},
		{"the first", len(first), []serials.Run{{First: 1, Last: 3}}, true},
		{"nothing", 0, nil, true},
	} {
		a := newArriving()
		a.left = int64(tc.left)
		for _, doc := range [][]byte{first, second, third} {
			if _, _, err := a.read(bytes.NewReader(doc)); err != nil {
				t.Fatal(err)
			}
		}
		if got := a.runs[client]; !slices.Equal(got, tc.want) || (a.left < 0) != tc.partly {
			t.Errorf("%s: read %v, %d bytes left; want %v", tc.name, got, a.left, tc.want)
		}
	}
}

// A record that will be set aside brings its serial, too: it is not missing.
func TestSerialsOfBadRecordsArrive(t *testing.T) {
	client := smx.ClientID{15: 3}
	r := smx.Report{Header: smx.Header{Client: client, ClientInstalled: 1, ClientType: 1, Priority: smx.NoPriority,
		ClientVersion: "5.0", NetBIOSName: "PC", CodePage: "437", Date: time.Now()}}
	for serial := uint64(1); serial <= 3; serial++ {
		r.Messages = append(r.Messages, smx.Message{Time: time.Now(), Serial: serial, TopicType: 500, TopicID: "{update}",
			TopicIDType: 3, StateID: uint32(serial)})
	}
	doc := bytes.Replace(smx.AppendReport(nil, &r), []byte(`<State ID="3"`), []byte(`<State ID="x"`), 1)
	a := newArriving()
	if _, _, err := a.read(bytes.NewReader(doc)); err != nil || len(a.batch.Bad) != 1 {
		t.Fatalf("%v, %d bad records", err, len(a.batch.Bad))
	}
	if got := a.runs[client]; !slices.Equal(got, []serials.Run{{First: 1, Last: 3}}) {
		t.Errorf("read %v, want 1 to 3", got)
	}
}
