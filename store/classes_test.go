package store_test

import (
	"strings"
	"testing"

	"statewire/store"
	"statewire/store/storetest"
)

// A file of classes with anything wrong in it is refused whole, and the wrong line is named.
func TestAWrongClassOfAStateIsNamedByItsLine(t *testing.T) {
	const head = "topic_type,state_id,class\n"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "line 1: want the columns topic_type,state_id,class"},
		{"other columns", "topic,state,class\n", `line 1: the columns are "topic,state,class"`},
		{"no class of that name", head + "9003,1,good\n9003,2,fine\n", `line 3: class "fine" is none: use good, bad,`},
		{"no number", head + "x,1,good\n", `line 2: topic_type "x" is no number`},
		{"a number too large", head + "1,4294967296,good\n", `line 2: state_id "4294967296" is no number`},
		{"a field too few", head + "1,2\n", "line 2"},
		{"a state twice", head + "1,2,good\n# of May\n1,2,bad\n", "line 4: state 2 of topic type 1 has a class in line 2 already"},
	} {
		if _, err := store.ParseClasses([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	got, err := store.ParseClasses([]byte("\ufeff" + head + "# our own\r\n20002, 1 ,failed\r\n"))
	if err != nil || len(got) != 1 || got[0] != (store.Class{TopicType: 20002, StateID: 1, Class: "failed"}) {
		t.Errorf("read %v, %v", got, err)
	}
}

// Whatever is loaded last counts alone; loading it again stores nothing.
func TestTheClassesLoadedLastCount(t *testing.T) {
	one := []store.Class{{TopicType: 1, StateID: 1, Class: "good"}, {TopicType: 1, StateID: 2, Class: "bad"}}
	s := storetest.NewWith(t, store.DefaultConfig(), store.Options{Classes: one})
	for _, tt := range []struct {
		name    string
		classes []store.Class
		want    string
		loads   uint64
	}{
		{"the same again", one, "1/1 good, 1/2 bad", 1},
		{"in another order", []store.Class{one[1], one[0]}, "1/1 good, 1/2 bad", 1},
		{"of two for one state the later", append(one, store.Class{TopicType: 1, StateID: 1, Class: "failed"}),
			"1/1 failed, 1/2 bad", 2},
		{"fewer", one[:1], "1/1 good", 3},
		{"none changes nothing", nil, "1/1 good", 3},
	} {
		if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), store.Options{Classes: tt.classes}); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got string
		row := s.Conn().QueryRow(t.Context(), `SELECT arrayStringConcat(arraySort(groupArray(concat(toString(topic_type), '/',
			toString(state_id), ' ', class))), ', ') FROM classes`)
		if err := row.Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if n := count(t, s, "SELECT count() FROM class_loads"); n != tt.loads {
			t.Errorf("%s: loaded %d times, want %d", tt.name, n, tt.loads)
		}
	}
}
