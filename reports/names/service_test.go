package names

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/store/storetest"
)

// recorded keeps the names of acts.
type recorded struct{ acts []string }

func (r *recorded) Record(_ context.Context, a control.Act) (func(error), error) {
	r.acts = append(r.acts, a.Name+" "+a.Object)
	return func(error) {}, nil
}

func TestNamesAreLoadedChangedAndTakenAway(t *testing.T) {
	db := storetest.New(t)
	exec := func(statement string) {
		t.Helper()
		if err := db.Conn().Exec(db.InsertContext(t.Context()), statement); err != nil {
			t.Fatal(err)
		}
	}
	for i, told := range []string{"500, 'u'", "301, 'd'", "9003, 'x'", "2001, 'x'"} {
		exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id, state_id,
			payload_hash) SELECT generateUUIDv4(), 1, now(), 0, %s, 1, %d`, told, i))
	}
	exec(`INSERT INTO collections (name, revision, kind, query, changed_time, deleted) VALUES
		('servers', 1, 'list', '', now(), 0), ('web', 1, 'list', '', now(), 0), ('gone', 1, 'list', '', now(), 1)`)
	log := &recorded{}
	s := New(db, slog.New(slog.DiscardHandler), time.Now, log)
	list := func(text string) List {
		t.Helper()
		var r Reader
		if err := r.Read("f", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		return r.List()
	}
	kept := func() (out []string) {
		all, err := s.kept(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for k, e := range all {
			out = append(out, strings.TrimRight(fmt.Sprint(k.id, "/", k.topicType, " ", e.Title, "|", e.Group, "|", e.Target, "|",
				e.Released), "|"))
		}
		slices.Sort(out)
		return out
	}
	const two = "topic_id,title,released\nu,Update,2026-11-10\nnever,Never told,\n"
	for _, c := range []struct {
		name string
		list List
		o    Options
		want Result
		kept string
	}{
		{"a dry run stores nothing", list(two), Options{DryRun: true}, Result{Added: 2, NeverSeen: 1}, ""},
		{"names are added", list(two), Options{}, Result{Added: 2, NeverSeen: 1}, "never/0 Never told, u/0 Update|||2026-11-10"},
		{"loading again changes nothing", list(two), Options{}, Result{Unchanged: 2, NeverSeen: 1},
			"never/0 Never told, u/0 Update|||2026-11-10"},
		{"a column that a file lacks stays", list("topic_id,title,group\nu,Better,May\n"), Options{}, Result{Changed: 1},
			"never/0 Never told, u/0 Better|May||2026-11-10"},
		{"JSON lines change what they have", list(`{"topic_id":"u","title":"Better","group":"June","target":"web"}`), Options{},
			Result{Changed: 1}, "never/0 Never told, u/0 Better|June|web|2026-11-10"},
		{"replace takes away what its columns say of others", list("topic_id,title\nd,Deployment\n"), Options{Replace: true},
			Result{Added: 1, Removed: 2}, "d/0 Deployment, u/0 |June|web|2026-11-10"},
		{"a replacement is stable", list("topic_id,title\nd,Deployment\n"), Options{Replace: true}, Result{Unchanged: 1},
			"d/0 Deployment, u/0 |June|web|2026-11-10"},
	} {
		got, err := s.Load(t.Context(), c.list, c.o)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", c.name, got, err, c.want)
		}
		if got := strings.Join(kept(), ", "); got != c.kept {
			t.Errorf("%s: kept are %s, want %s", c.name, got, c.kept)
		}
	}
	var wrong *control.InvalidError
	if _, err := s.Load(t.Context(), list("topic_id,title,target\nd,D,serverz\n"), Options{}); !errors.As(err, &wrong) ||
		!strings.Contains(err.Error(), "f: line 2: there is no collection \"serverz\"") ||
		!strings.Contains(err.Error(), "did you mean servers?") {
		t.Errorf("a target that is no collection: %v", err)
	}

	// Targets.
	for _, c := range []struct{ name, kind, id, collection, want string }{
		{"a subject gets a target", "deployment", "d", "servers", ""},
		{"and another one", "deployment", "d", "web", ""},
		{"a deployment may have one before anybody told of it", "deployment", "planned", "servers", ""},
		{"an id that means several subjects keeps them apart", "other", "x", "servers", ""},
		{"a collection that was deleted is none", "deployment", "d", "gone", "there is no collection"},
		{"the kind has to be right", "update", "d", "web", `topic id "d" is no update: write deployment/d`},
		{"what nobody told of is no other topic", "other", "nobody", "web", "nobody named topic id"},
	} {
		err := s.SetTarget(t.Context(), c.kind, c.id, c.collection)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	targets := func() (out []string) {
		all, err := s.Targets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range all {
			out = append(out, fmt.Sprint(target.Kind, "/", target.TopicID, " ", target.TopicType, " ", target.Collection, " ",
				*target.Members))
		}
		return out
	}
	if got := strings.Join(targets(), ", "); got != "deployment/planned 300 servers 0, other/x 2001 servers 0, "+
		"deployment/d 300 web 0, update/u 500 web 0" {
		t.Errorf("targets are %s", got)
	}
	for _, kindID := range []string{"deployment/planned", "update/u", "other/x"} {
		kind, id, err := ParseSubject(kindID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ClearTarget(t.Context(), kind, id); err != nil {
			t.Errorf("%s: %v", kindID, err)
		}
	}
	if got := strings.Join(targets(), ", "); got != "deployment/d 300 web 0" {
		t.Errorf("targets that stay are %s", got)
	}

	// Export, show, delete.
	var ids []string
	if err := s.Export(t.Context(), true, func(e Entry) error { ids = append(ids, e.TopicID); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ids, " "); got != "x x u" {
		t.Errorf("without a title are %s", got)
	}
	rows, err := s.Show(t.Context(), "d")
	if err != nil || len(rows) != 2 || rows[0].Title != "Deployment" || rows[0].Target != "web" || rows[1].Source != "counts" ||
		rows[1].Kind != "deployment" {
		t.Errorf("show: %+v %v", rows, err)
	}
	if n, err := s.Delete(t.Context(), "d"); n != 1 || err != nil {
		t.Errorf("delete: %d %v", n, err)
	}
	if _, err := s.Delete(t.Context(), "d"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
	want := "names.load names:2, names.load names:1, names.load names:1, names.load names:3, target.set topic:d, target.set topic:d, " +
		"target.set topic:planned, target.set topic:x, target.clear topic:planned, target.clear topic:u, target.clear topic:x, " +
		"names.delete topic:d"
	if got := strings.Join(log.acts, ", "); got != want {
		t.Errorf("recorded are\n%s, want\n%s", got, want)
	}
}
