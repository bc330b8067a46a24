package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"statewire/inbox/disk"
	"statewire/smx"
)

// readNames is how the command wires the reader of indexes.
func readNames(file io.Reader) (clients [][16]byte, known bool, err error) {
	index, err := smx.ReadIndex(file)
	for _, c := range index.Clients {
		clients = append(clients, c)
	}
	return clients, index.Known, err
}

// client makes a client's id of a number.
func client(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// relayFile is a file as the relay writes it, with a report of each client.
func relayFile(clients ...int) []byte {
	var reports []smx.Accepted
	for _, n := range clients {
		reports = append(reports, smx.Accepted{Client: client(n), Received: time.Unix(1_800_000_000, 0),
			Receipt: fmt.Sprint("r", n), Messages: 1, Body: []byte("<Report/>")})
	}
	return smx.AppendFile(nil, reports)
}

func unread(t testing.TB, d *Dir, most int) Unread {
	t.Helper()
	u, err := d.Unread(context.Background(), readNames, most)
	check(t, err)
	return u
}

// held lists the clients whose reports wait.
func held(u Unread) (clients []int) {
	for id := range u.Clients {
		clients = append(clients, int(binary.BigEndian.Uint64(id[8:])))
	}
	slices.Sort(clients)
	return clients
}

func TestUnreadFilesHoldTheirClientsWhereverTheyWait(t *testing.T) {
	bare := `<?xml version="1.0"?><Report><ReportHeader/></Report>`
	for _, tc := range []struct {
		name      string
		fill      func(t *testing.T, d *Dir)
		clients   []int
		files     int
		everybody string // in the reason
	}{
		{"an empty inbox holds nobody", func(*testing.T, *Dir) {}, nil, 0, ""},
		{"every lane", func(t *testing.T, d *Dir) {
			put(t, d, High, string(relayFile(1, 2)))
			put(t, d, Normal, string(relayFile(2, 3)))
			put(t, d, Low, string(relayFile(4)))
		}, []int{1, 2, 3, 4}, 3, ""},
		{"a claimed file", func(t *testing.T, d *Dir) {
			put(t, d, Normal, string(relayFile(5)))
			claimIn(t, d, 1)
		}, []int{5}, 1, ""},
		{"a file that lies in process", func(t *testing.T, d *Dir) {
			check(t, os.WriteFile(filepath.Join(d.Root(), "process", "A.SMX"), relayFile(6), 0o600))
		}, []int{6}, 1, ""},
		{"a copy from a child site", func(t *testing.T, d *Dir) { dropAt(t, d, Normal, "A.smw", string(relayFile(7))) },
			[]int{7}, 1, ""},
		{"a file of 3,000 clients", func(t *testing.T, d *Dir) { put(t, d, Normal, string(relayFile(upTo(3000)...))) },
			upTo(3000), 1, ""},
		{"what no loader takes holds nobody", func(t *testing.T, d *Dir) {
			dropAt(t, d, Normal, "notes.txt", bare)
			dropAt(t, d, Normal, ".A.SMX", bare)
			dropAt(t, d, Normal, "A.SMX.tmp", bare)
			check(t, os.Mkdir(filepath.Join(d.Root(), "incoming", "folder.SMX"), 0o700))
			check(t, os.Symlink("/etc/passwd", filepath.Join(d.Root(), "incoming", "link.SMX")))
		}, nil, 0, ""},
		{"what was set aside was read", func(t *testing.T, d *Dir) {
			check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", "bad.SMX"), []byte("bad"), 0o600))
		}, nil, 0, ""},
		{"a bare report may be anybody's", func(t *testing.T, d *Dir) {
			dropAt(t, d, Low, "copied.SMX", bare)
			put(t, d, Normal, string(relayFile(1)))
		}, []int{1}, 2, "incoming/low/copied.SMX does not name"},
		{"a file that is still arriving may be anybody's", func(t *testing.T, d *Dir) {
			dropAt(t, d, Normal, "half.SMX", string(relayFile(1)[:60]))
		}, nil, 1, "incoming/half.SMX does not name"},
		{"an empty file may become anybody's", func(t *testing.T, d *Dir) { dropAt(t, d, High, "new.smx", "") }, nil, 1,
			"incoming/high/new.smx"},
		{"as many files as may be", func(t *testing.T, d *Dir) {
			for n := range 10 {
				put(t, d, Normal, string(relayFile(n)))
			}
		}, append([]int{0}, upTo(9)...), 10, ""},
		{"a backlog holds everybody", func(t *testing.T, d *Dir) {
			for n := range 11 {
				put(t, d, Lane(n%3), string(relayFile(n)))
			}
		}, nil, 10, "backlog: more than 10 files"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := open(t)
			tc.fill(t, d)
			u := unread(t, d, 10)
			if u.Everybody != (tc.everybody != "") || !strings.Contains(u.Reason, tc.everybody) || u.Files != tc.files {
				t.Errorf("everybody %v for %q, %d files; want %q, %d", u.Everybody, u.Reason, u.Files, tc.everybody, tc.files)
			}
			if !u.Everybody && !slices.Equal(held(u), tc.clients) {
				t.Errorf("held %v, want %v", held(u), tc.clients)
			}
		})
	}
}

func upTo(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i+1)
	}
	return numbers
}

// claimIn claims a chunk and leaves it claimed, as a loader that is at work has it.
func claimIn(t testing.TB, d *Dir, files int) *Chunk {
	t.Helper()
	l := loader(t, d, files, 1)
	t.Cleanup(func() { check(t, l.Close()) })
	return claim(t, l)
}

func TestAFileThatVanishesWhileItIsListedWasStored(t *testing.T) {
	d := open(t)
	put(t, d, Normal, string(relayFile(1)))
	gone := put(t, d, Normal, string(relayFile(2)))
	d.disk = &openHook{d.disk, func(name string) error {
		if name == gone {
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return nil
	}}
	if u := unread(t, d, 10); u.Everybody || u.Files != 1 || !slices.Equal(held(u), []int{1}) {
		t.Errorf("got %+v", u)
	}
}

func TestAFileThatCannotBeReadHoldsEverybody(t *testing.T) {
	for _, when := range []string{"open", "read"} {
		t.Run(when, func(t *testing.T) {
			d := open(t)
			name := put(t, d, High, string(relayFile(1)))
			names := readNames
			if when == "open" {
				d.disk = &openHook{d.disk, func(string) error { return errIO }}
			} else {
				names = func(io.Reader) ([][16]byte, bool, error) { return nil, false, errIO }
			}
			u, err := d.Unread(context.Background(), names, 10)
			check(t, err)
			if !u.Everybody || !strings.Contains(u.Reason, name+" can't be read") {
				t.Errorf("got %+v", u)
			}
			files, all, err := d.Holding(context.Background(), client(2), names, 10)
			check(t, err)
			if len(files) != 1 || !all || files[0].Names {
				t.Errorf("got %+v, %v", files, all)
			}
		})
	}
}

// openHook is a disk that asks before it opens a file to read.
type openHook struct {
	disk.Disk
	before func(name string) error
}

func (h *openHook) Open(at disk.Folder, name string) (disk.Input, error) {
	if err := h.before(name); err != nil {
		return nil, err
	}
	return h.Disk.Open(at, name)
}

func TestAFolderThatCannotBeListedIsAnError(t *testing.T) {
	d := open(t)
	put(t, d, Normal, string(relayFile(1)))
	check(t, os.Rename(filepath.Join(d.Root(), "incoming"), filepath.Join(d.Root(), "moved")))
	if u, err := d.Unread(context.Background(), readNames, 10); !errors.Is(err, ErrMoved) {
		t.Errorf("%+v, %v", u, err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	d = open(t)
	put(t, d, Normal, string(relayFile(1)))
	if _, err := d.Unread(done, readNames, 10); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestHoldingListsTheFilesOfOneClient(t *testing.T) {
	d := open(t)
	d.disk = nameTimes{d.disk}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, file := range []struct {
		lane Lane
		data []byte
	}{{High, relayFile(2)}, {Low, relayFile(1, 2)}, {Normal, relayFile(1)}, {Normal, relayFile(3)}} {
		_, err := d.Put(file.lane, file.data, at.Add(-time.Duration(i)*time.Hour))
		check(t, err)
	}
	dropAt(t, d, Normal, "copied.SMX", "<Report/>")
	check(t, os.WriteFile(filepath.Join(d.Root(), "process", "A.SMX"), relayFile(1), 0o600))
	claimIn(t, d, 10) // takes the high lane, and A.SMX goes back to where it waits
	files, all, err := d.Holding(context.Background(), client(1), readNames, 100)
	check(t, err)
	var got []string
	for _, f := range files {
		name := f.Name
		if IsPutName(name) {
			name = f.Since.Format(time.TimeOnly)
		} else if time.Since(f.Since) > time.Minute {
			t.Errorf("%s came at %v", f.Name, f.Since)
		}
		got = append(got, fmt.Sprintf("%s %s %v", name, f.Box, f.Names))
	}
	slices.Sort(got[2:]) // those came at almost the same time
	if want := []string{"22:00:00 normal true", "23:00:00 low true", "A.SMX normal true",
		"copied.SMX normal false"}; !slices.Equal(got, want) || !all {
		t.Errorf("got %q, all %v, want %q", got, all, want)
	}
	if files, _, err = d.Holding(context.Background(), client(2), readNames, 100); err != nil || len(files) != 3 ||
		files[1].Box != "process" {
		t.Errorf("the claimed file: %+v, %v", files, err)
	}
	if _, all, err = d.Holding(context.Background(), client(1), readNames, 2); err != nil || all {
		t.Errorf("all %v, %v", all, err)
	}
}

// TestAReportIsUnreadUntilItIsDone runs a relay, a loader that dies and starts again, and the listing side by side:
// whatever was durable when a listing began is in it, unless it was done when the listing ended.
func TestAReportIsUnreadUntilItIsDone(t *testing.T) {
	d := openAt(t, filepath.Join(memoryDir(t), "statesys.box"))
	var durable, done ledgerOf
	work, stop := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer stop()
	var group sync.WaitGroup
	for writer := range 2 {
		group.Go(func() {
			for n := writer; work.Err() == nil && n < 4000; n += 2 {
				if err := arrive(d, n); err != nil {
					t.Error(err)
					return
				}
				durable.add(n)
			}
		})
	}
	group.Go(func() {
		for work.Err() == nil {
			loadSome(t, d, &done)
		}
	})
	for listings := 0; !t.Failed() && (work.Err() == nil || listings < 3); listings++ {
		before := durable.copy()
		u := unread(t, d, 1<<20)
		if u.Everybody {
			t.Errorf("everybody: %s", u.Reason)
		}
		after := done.copy()
		for n := range before {
			if _, there := u.Clients[client(n)]; !there && !after[n] {
				t.Errorf("report %d is neither unread nor done", n)
			}
		}
	}
	stop()
	group.Wait()
	if len(done.copy()) < 10 {
		t.Errorf("only %d reports were done: nothing was tested", len(done.copy()))
	}
}

// arrive makes the report of one client durable in a lane or, some of them, in process/, from where the next loader
// moves it.
func arrive(d *Dir, n int) error {
	if n%5 > 0 {
		_, err := d.Put(Lane(n%3), relayFile(n), time.Now())
		return err
	}
	temp := filepath.Join(d.Root(), "tmp", fmt.Sprint(n))
	return errors.Join(os.WriteFile(temp, relayFile(n), 0o600),
		os.Rename(temp, filepath.Join(d.Root(), "process", fmt.Sprint(n, ".SMX"))))
}

// loadSome is a loader's short life: it stores what it claims, sets some aside, and dies with some claimed.
func loadSome(t *testing.T, d *Dir, done *ledgerOf) {
	l, err := d.Loader(5, 2)
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Close()
	for range 10 {
		c, err := l.Claim()
		if err != nil || c == nil {
			return
		}
		for i, f := range c.Files {
			data, err := f.Read(nil)
			if err != nil {
				t.Error(err)
				return
			}
			clients, _, _ := readNames(strings.NewReader(string(data)))
			switch rand.IntN(8) {
			case 0: // claimed until the next loader comes
			default:
				done.add(int(binary.BigEndian.Uint64(clients[0][8:])))
				if i%2 == 0 {
					err = c.Done(f)
				} else {
					err = c.SetAside(f, Reason{Code: "test"})
				}
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// ledgerOf is a set that goroutines share.
type ledgerOf struct {
	mu  sync.Mutex
	set map[int]bool // Guarded by mu.
}

func (l *ledgerOf) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		l.set = map[int]bool{}
	}
	l.set[n] = true
}

func (l *ledgerOf) copy() map[int]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.set)
}
