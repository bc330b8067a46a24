package site

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/configs"
	"statewire/identity"
)

// The manager signs with the key of the site's trust folder, for the site that the certificates are of, and opening it
// makes nothing.
func TestTasksAreSignedForTheSite(t *testing.T) {
	s := channelSite(t, Roles{"identity", "ingest"}, nil)
	deps := s.managerDeps(nil)
	if _, _, err := deps.TaskKey(); err == nil {
		t.Error("a key before the identity role has started")
	}
	own, err := OpenIdentity(s.cfg.Data, configs.Default(), nil, s.lists(), s.log, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	id, key, err := deps.TaskKey()
	want, _, err2 := own.Keys.TaskKey()
	if err != nil || err2 != nil || id != want || len(key) == 0 {
		t.Errorf("key %s, want %s, %v, %v", id, want, err, err2)
	}
	if site, err := deps.Site(); err != nil || site != own.Site.ID() {
		t.Errorf("site %v, want %v, %v", site, own.Site.ID(), err)
	}
	if _, err := deps.Members(t.Context(), "", true); err == nil {
		t.Error("members without a store")
	}
	s.tokens.own.Store(own.APITokens)
	made, err := own.APITokens.Create(t.Context(), identity.Person{Actor: "local:0", Role: identity.Admin},
		identity.Wanted{Role: identity.Operator, Life: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for actor, may := range map[string]bool{"local:0": true, "token:" + made.ID: true, "token:NOBODY": false,
		"client:" + uuid.NewString(): false, "": false} {
		err := deps.Still(t.Context(), actor)
		var refused *identity.Refusal
		if (err == nil) != may || err != nil && (!errors.As(err, &refused) || refused.Retry) {
			t.Errorf("%q may: %v", actor, err)
		}
	}
}
