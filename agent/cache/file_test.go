package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"statewire/smx"
)

// storeFile makes a sound store file with something in it.
func storeFile(t *testing.T) (path string, own smx.ClientID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "folder", "agent.db")
	file, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := file.Client(file.Own())
	for i := range 200 {
		a := detected(strings.Repeat("x", i+1), 1)
		a.Details = strings.Repeat("d", 500)
		put(t, s, a)
	}
	if report, err := s.Pack(testPacking); err != nil || report.Last != 200 {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path, file.Own()
}

func TestAStoreKeepsItsClient(t *testing.T) {
	path, own := storeFile(t)
	if own == (smx.ClientID{}) || own[6]>>4 != 4 || own[8]>>6 != 2 {
		t.Errorf("the id %v is no random GUID", own)
	}
	file, err := Open(path, Options{Client: own})
	if err != nil || file.Own() != own {
		t.Fatalf("opened again it is %v, %v; want %v", file.Own(), err, own)
	}
	if ids, err := file.Clients(); err != nil || len(ids) != 1 || ids[0] != own {
		t.Errorf("clients %v, %v", ids, err)
	}
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second agent on the store: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{Client: smx.ClientID{9}}); err == nil ||
		!strings.Contains(err.Error(), "belongs to client") {
		t.Errorf("opened for another client: %v", err)
	}
	if file, err = Open(path, Options{Client: own}); err != nil {
		t.Fatalf("a refusal kept the file: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestADamagedStoreIsRefused damages a store in many ways: it is refused in words that help, and left as it is.
func TestADamagedStoreIsRefused(t *testing.T) {
	sound, _ := storeFile(t)
	data, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := max(from, 0); i < min(to, len(b)); i++ {
				b[i] ^= 0x5A
			}
			return b
		}
	}
	for name, c := range map[string]struct {
		edit func([]byte) []byte
		want string
	}{
		"empty":              {func([]byte) []byte { return nil }, "is damaged"},
		"no store":           {func([]byte) []byte { return []byte(strings.Repeat("hello ", 9000)) }, "is damaged"},
		"cut off":            {func(b []byte) []byte { return b[:len(b)/2] }, "is damaged"},
		"cut off early":      {func(b []byte) []byte { return b[:5000] }, "is damaged"},
		"both heads damaged": {fill(0, 8192), "is damaged"},
		"a text damaged": {func(b []byte) []byte {
			return []byte(strings.Replace(string(b), strings.Repeat("d", 500), strings.Repeat("d", 499)+"e", -1))
		}, "is damaged"},
		"all but the heads": {fill(8192, 1<<30), "is damaged"},
		"pages zeroed": {func(b []byte) []byte {
			clear(b[len(b)/3 : len(b)/3*2])
			return b
		}, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agent.db")
			bad := c.edit(append([]byte(nil), data...))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := Open(path, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("opened as %v with %v; want a refusal", file, err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(bad) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

func TestAStoreOfAnotherVersionIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*bbolt.Tx) error
		want string
	}{
		"later version": {func(tx *bbolt.Tx) error { return tx.Bucket(bucketStore).Put(keyFormat, []byte("2")) },
			"has format 2"},
		"another program":  {func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketStore) }, "another program's"},
		"no version":       {func(tx *bbolt.Tx) error { return tx.Bucket(bucketStore).Delete(keyFormat) }, "is damaged"},
		"a record damaged": {func(tx *bbolt.Tx) error { return damageRecordIn(tx) }, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := storeFile(t)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(c.edit), db.Close()); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

func damageRecordIn(tx *bbolt.Tx) error {
	return tx.Bucket(bucketClients).ForEachBucket(func(id []byte) error {
		return tx.Bucket(bucketClients).Bucket(id).Put([]byte{keyMeta}, []byte("nonsense"))
	})
}

// TestCreationIsCompleteOrNothing: what a crash leaves of a store being made is made anew.
func TestCreationIsCompleteOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.db")
	if err := os.WriteFile(path+".new", []byte("half a store"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished file is still there: %v", err)
	}
}

// TestClientsOfOneFileDoNotMeet runs many clients on one file at once.
func TestClientsOfOneFileDoNotMeet(t *testing.T) {
	file, err := Open(filepath.Join(t.TempDir(), "fleet.db"), Options{Coalesce: true, NoSync: true, KeepSent: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			s := file.Client(smx.ClientID{byte(i + 1)})
			for round := range 10 {
				err := errors.Join(s.Put(detected("a", uint32(i)), detected("b", uint32(round))))
				report, err2 := s.Pack(testPacking)
				if err != nil || err2 != nil || report.Last != uint64(2*round+2) || report.States[0].StateID != uint32(i) {
					t.Errorf("client %d: %s, %v, %v", i, texts(report), err, err2)
					return
				}
				if err := s.Settle(Settlement{Outcome: Accepted}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	ids, err := file.Clients()
	if err != nil || len(ids) != 50 {
		t.Errorf("%d clients, %v", len(ids), err)
	}
	for _, id := range ids {
		if sent, err := file.Client(id).Sent(); err != nil || len(sent) != 0 {
			t.Errorf("client %v keeps %d sent messages, %v; want none", id, len(sent), err)
		}
	}
}
