package summary

import (
	"context"
	"slices"
)

// subject is what compliance is asked about.
type subject struct {
	kind   string
	id     string
	topic  uint32 // the leading type
	target string
	seen   int64    // when it was first told of, in µs; 0: never
	types  []uint32 // that were told of
	held   uint64   // states, as of the summary of topics
}

// subjectKey is the key of a row of counts.
type subjectKey struct {
	kind, id string
	topic    uint32
}

func (s subject) key() subjectKey { return subjectKey{s.kind, s.id, s.topic} }

// kinds are the types of each kind: the leading ones in the order that decides, then those of details.
var kinds = map[string]struct{ leading, details []uint32 }{
	"update":     {[]uint32{500, 400}, []uint32{402}},
	"deployment": {[]uint32{300}, []uint32{301, 302}},
	"baseline":   {[]uint32{401}, []uint32{402, 500, 400}},
	"scan":       {[]uint32{501}, nil},
}

// typesOf are the leading types of a subject, and all that count.
func typesOf(kind string, topic uint32) (leading, all []uint32) {
	k, ok := kinds[kind]
	if !ok {
		return []uint32{topic}, []uint32{topic}
	}
	return k.leading, slices.Concat(k.leading, k.details)
}

func (c *counts) subjects(ctx context.Context) (all []subject, err error) {
	err = c.s.each(ctx, "counted_subjects", nil, func(scan func(...any) error) error {
		var s subject
		err := scan(&s.kind, &s.id, &s.topic, &s.target, &s.seen, &s.types, &s.held)
		all = append(all, s)
		return err
	})
	return all, err
}

// subjectSlice is some subjects of one kind and target.
type subjectSlice struct {
	kind, target string
	topic        uint32 // of kind other; the others' types go by the kind
	subjects     []subject
}

// maxSubjects bounds the ids that a statement names, and maxIDBytes their length.
const maxSubjects, maxIDBytes = 1000, 128 << 10

// slicesOf cuts ordered subjects into slices that hold so many states at most, or one subject.
func slicesOf(subjects []subject, states uint64) (out []subjectSlice) {
	var held uint64
	ids := 0
	for _, s := range subjects {
		next := subjectSlice{kind: s.kind, target: s.target}
		if s.kind == "other" {
			next.topic = s.topic
		}
		last := len(out) - 1
		if last < 0 || out[last].kind != next.kind || out[last].target != next.target || out[last].topic != next.topic ||
			held+s.held > states || len(out[last].subjects) == maxSubjects || ids+len(s.id) > maxIDBytes {
			out, held, ids, last = append(out, next), 0, 0, last+1
		}
		out[last].subjects = append(out[last].subjects, s)
		held, ids = held+s.held, ids+len(s.id)
	}
	return out
}
