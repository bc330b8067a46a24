package policy

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// sized is an envelope of so many bytes.
func sized(n int) []byte {
	return fmt.Appendf(nil, `{"payload":"%s"}`, strings.Repeat("A", n-len(`{"payload":""}`)))
}

func many(n, bytes int) (list [][]byte) {
	for range n {
		list = append(list, sized(bytes))
	}
	return list
}

func TestLastingTasksTravelAsTheyAre(t *testing.T) {
	p := fullPolicy
	p.Tasks = [][]byte{[]byte(`{"payload":"eA==","signatures":[{"sig":"+/="}]}`), []byte(`{"b":1}`)}
	doc := Encode(p)
	if got, err := Decode(doc); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("got %+v, %v", got, err)
	}
	if !bytes.Contains(doc, []byte(`<Task>{"b":1}</Task>`)) {
		t.Errorf("no Task in\n%s", doc)
	}
	for _, c := range []struct {
		name  string
		tasks [][]byte
		want  string
	}{
		{"as many as allowed", many(MaxTasks, 100), ""},
		{"one more", many(MaxTasks+1, 20), "33 tasks"},
		{"as large as allowed", many(2, MaxTaskBytes/2), ""},
		{"a byte more", append(many(2, MaxTaskBytes/2-20), sized(41)), "bytes; allowed are 32 with 98304"},
		{"one that is too large alone", many(1, MaxTrustBytes+1), "too long"},
		{"one without a text", [][]byte{{}}, "Task of Policy has 0 bytes"},
		{"one that is no JSON", [][]byte{[]byte("{")}, "no JSON"},
	} {
		p.Tasks = c.tasks
		_, err := Decode(Encode(p))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	inner := strings.Replace(string(Encode(fullPolicy)), "</Policy>", "<Task>{<b/>}</Task></Policy>", 1)
	if _, err := Decode([]byte(inner)); err == nil || !strings.Contains(err.Error(), "more than text") {
		t.Errorf("a Task with an element in it: %v", err)
	}
}

// What fits is always read, and the first come first.
func TestTasksThatFitAPolicyAreRead(t *testing.T) {
	large := fullPolicy
	large.Topics = nil
	for i := range MaxTopics {
		large.Topics = append(large.Topics, Topic{Type: 1<<32 - 1 - uint32(MaxTopics) + uint32(i), Paused: true,
			Interval: MaxInterval})
	}
	large.Trust = &Trust{CA: authorities(t, 120), Document: sized(MaxTrustBytes)}
	for _, c := range []struct {
		name  string
		p     Document
		tasks [][]byte
		want  int
	}{
		{"none", fullPolicy, nil, 0},
		{"a few", fullPolicy, many(3, 1000), 3},
		{"too many", fullPolicy, many(40, 1000), MaxTasks},
		{"too large together", fullPolicy, many(5, 30<<10), 3},
		{"one that is too large alone", fullPolicy, [][]byte{sized(MaxTrustBytes + 1), sized(50)}, 1},
		{"no envelopes", fullPolicy, [][]byte{{}, []byte("{"), []byte(`{"a":"<"}`), []byte(`{"a":"&"}`), sized(50)}, 1},
		{"a document that is nearly full", large, many(32, 3000), -1},
	} {
		p := c.p
		p.Tasks = p.FitTasks(c.tasks)
		if c.want >= 0 && len(p.Tasks) != c.want {
			t.Errorf("%s: %d fit, want %d", c.name, len(p.Tasks), c.want)
		}
		doc := Encode(p)
		if got, err := Decode(doc); err != nil || len(got.Tasks) != len(p.Tasks) {
			t.Errorf("%s: %d tasks of %d are read, %v", c.name, len(got.Tasks), len(p.Tasks), err)
		}
		if c.want < 0 {
			t.Logf("%s: %d fit, %d bytes of %d", c.name, len(p.Tasks), len(doc), MaxBytes)
		}
	}
	first := fullPolicy.FitTasks([][]byte{sized(60), sized(61)})
	if len(first) != 2 || len(first[0]) != 60 {
		t.Error("the first do not come first")
	}
}
