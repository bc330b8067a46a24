package audit

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written is a good log of two files, and what is in them.
func written(t *testing.T) (dir string, files map[string][]string) {
	t.Helper()
	dir = t.TempDir()
	var c clock
	c.set("2026-11-30T10:00:00Z")
	l := open(t, dir, Options{Clock: c.now})
	for _, reason := range []string{"one", "two"} {
		begin(t, l, Action{Actor: "local:0", Action: "client.revoke", Object: "GUID:1", Reason: reason})(Done, "")
	}
	c.set("2026-12-01T10:00:00Z")
	begin(t, l, Action{Actor: "local:0", Action: "resync.request", Targets: 3, Params: []byte("p")})(Failed, "no")
	begin(t, l, Action{Actor: "local:0", Action: "resync.request", Targets: 3, Params: []byte("p")})
	check(t, l.Close())
	files = map[string][]string{}
	for _, name := range []string{"2026-11.jsonl", "2026-12.jsonl"} {
		text := strings.SplitAfter(read(t, dir, name), "\n")
		files[name] = text[:len(text)-1]
	}
	return dir, files
}

// put writes the lines of a file in the place of what is there.
func put(t *testing.T, dir, name string, lines ...string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "")), 0o600))
}

// names fails unless the first fault is this one.
func names(t *testing.T, dir, what, file string, seq uint64) {
	t.Helper()
	r, err := Verify(context.Background(), dir, VerifyOptions{})
	check(t, err)
	if len(r.Faults) == 0 {
		t.Errorf("%s: nothing is named", what)
		return
	}
	if f := r.Faults[0]; f.Seq != seq || file != "" && f.File != file {
		t.Errorf("%s: it names %v, not seq %d in %s", what, r.Faults, seq, file)
	}
}

// Each byte of each line that is another is named by the line's seq and file.
func TestEveryByteThatIsAnotherIsNamed(t *testing.T) {
	dir, files := written(t)
	verified(t, dir)
	seq := uint64(0)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		good := strings.Join(files[name], "")
		at := 0
		for n, line := range files[name] {
			seq++
			for i := range len(line) {
				bad := []byte(good)
				for k, other := range []byte{good[at+i] ^ 1, '\n', 0, ' ', good[at+i] ^ 32} {
					if (i+k)%5 > 0 || other == good[at+i] {
						continue
					}
					bad[at+i] = other
					if n == len(files[name])-1 && i == len(line)-1 && name == "2026-12.jsonl" && other != '\n' {
						// the end of the newest file: one byte more, and no end
						check(t, os.WriteFile(filepath.Join(dir, name), append(bad, '\n'), 0o600))
					} else {
						check(t, os.WriteFile(filepath.Join(dir, name), bad, 0o600))
					}
					names(t, dir, fmt.Sprintf("byte %d of line %d is %q", i, n+1, other), name, seq)
				}
			}
			at += len(line)
		}
		put(t, dir, name, good)
	}
	verified(t, dir)
}

// A line that is missing, doubled, swapped with the next or cut is named, wherever it is.
func TestEveryLineThatIsNotThereIsNamed(t *testing.T) {
	dir, files := written(t)
	seq := uint64(0)
	order := slices.Sorted(maps.Keys(files))
	for _, name := range order {
		good := files[name]
		last := name == order[len(order)-1]
		for n, line := range good {
			seq++
			put(t, dir, name, slices.Delete(slices.Clone(good), n, n+1)...)
			where := name
			if n == len(good)-1 && !last {
				where = order[1] // it is missing before the first line there
			}
			names(t, dir, fmt.Sprintf("line %d is missing", n+1), where, seq)
			put(t, dir, name, slices.Insert(slices.Clone(good), n, line)...)
			names(t, dir, fmt.Sprintf("line %d is doubled", n+1), name, seq)
			put(t, dir, name, good[:n]...)
			names(t, dir, fmt.Sprintf("the end from line %d on is missing", n+1), "", seq)
			for _, cut := range []int{1, len(line) / 2, len(line) - 1} {
				put(t, dir, name, append(slices.Clone(good[:n]), line[:cut])...)
				names(t, dir, fmt.Sprintf("line %d is cut after %d bytes", n+1, cut), name, seq)
			}
			if n+1 < len(good) {
				swapped := slices.Clone(good)
				swapped[n], swapped[n+1] = good[n+1], line
				put(t, dir, name, swapped...)
				names(t, dir, fmt.Sprintf("line %d and the next are swapped", n+1), name, seq)
			}
		}
		put(t, dir, name, good...)
	}
	verified(t, dir)
}

// A forged tail whose hashes all fit, a file that is missing or another's, and a head that is missing, old, or
// another's.
func TestAForgeryIsNamed(t *testing.T) {
	for what, tc := range map[string]struct {
		seq    uint64
		file   string
		change func(t *testing.T, dir string, files map[string][]string)
	}{
		"the first month is missing": {1, "2026-12.jsonl", func(t *testing.T, dir string, _ map[string][]string) {
			check(t, os.Remove(filepath.Join(dir, "2026-11.jsonl")))
		}},
		"the last month is missing": {5, "", func(t *testing.T, dir string, _ map[string][]string) {
			check(t, os.Remove(filepath.Join(dir, "2026-12.jsonl")))
		}},
		"all months are missing": {1, "", func(t *testing.T, dir string, files map[string][]string) {
			for name := range files {
				check(t, os.Remove(filepath.Join(dir, name)))
			}
		}},
		"a month has another name": {5, "2026-10.jsonl", func(t *testing.T, dir string, _ map[string][]string) {
			check(t, os.Rename(filepath.Join(dir, "2026-11.jsonl"), filepath.Join(dir, "2027-01.jsonl")))
			check(t, os.Rename(filepath.Join(dir, "2026-12.jsonl"), filepath.Join(dir, "2026-10.jsonl")))
		}},
		"a line moved into an earlier file": {5, "2026-11.jsonl", func(t *testing.T, dir string,
			files map[string][]string) {
			put(t, dir, "2026-11.jsonl", append(files["2026-11.jsonl"], files["2026-12.jsonl"][0])...)
			put(t, dir, "2026-12.jsonl", files["2026-12.jsonl"][1:]...)
		}},
		"the whole chain is made anew": {7, "2026-12.jsonl", func(t *testing.T, dir string, files map[string][]string) {
			remade := t.TempDir()
			var c clock
			c.set("2026-11-30T10:00:00Z")
			l := open(t, remade, Options{Clock: c.now})
			for range 4 {
				begin(t, l, Action{Action: "b"})
			}
			c.set("2026-12-01T10:00:00Z")
			for range 3 {
				begin(t, l, Action{Action: "b"})
			}
			check(t, l.Close())
			for name := range files {
				put(t, dir, name, read(t, remade, name))
			}
		}},
		"the head is missing": {0, "head", func(t *testing.T, dir string, _ map[string][]string) {
			check(t, os.Remove(filepath.Join(dir, headFile)))
		}},
		"the head is another's": {0, "head", func(t *testing.T, dir string, _ map[string][]string) {
			other, _ := written(t)
			put(t, dir, headFile, read(t, other, headFile))
		}},
		"the head names another seq": {0, "head", func(t *testing.T, dir string, _ map[string][]string) {
			put(t, dir, headFile, strings.Replace(read(t, dir, headFile), "\n7\n", "\n6\n", 1))
		}},
		"there is no head": {0, "head", func(t *testing.T, dir string, _ map[string][]string) { put(t, dir, headFile) }},
	} {
		dir, files := written(t)
		if what == "a month has another name" {
			tc.seq = 1
		}
		tc.change(t, dir, files)
		names(t, dir, what, tc.file, tc.seq)
	}
}

// Whoever kept a head elsewhere sees that a log, its key and its head were all made anew; a good log fits its older
// heads.
func TestAHeadThatWasKeptElsewhere(t *testing.T) {
	dir, _ := written(t)
	kept := read(t, dir, headFile)
	key, err := VerifierKey(dir)
	check(t, err)
	l := open(t, dir, Options{})
	begin(t, l, Action{Action: "later"})
	check(t, l.Close())
	with := VerifyOptions{Verifier: key, Heads: map[string][]byte{"kept": []byte(kept)}}
	r, err := Verify(context.Background(), dir, with)
	if err != nil || len(r.Faults) > 0 || r.Seq != 9 {
		t.Errorf("%+v, %v", r, err)
	}
	forged, _ := written(t)
	r, err = Verify(context.Background(), forged, with)
	if err != nil || len(r.Faults) == 0 {
		t.Errorf("a forged log with its own key: %+v, %v", r, err)
	}
	check(t, os.RemoveAll(filepath.Join(dir, keyFile)))
	if r, err = Verify(context.Background(), dir, with); err != nil || len(r.Faults) > 0 {
		t.Errorf("a copy without the private key: %+v, %v", r, err)
	}
}

// The export is the exact bytes of all whole lines.
func TestTheExportIsTheExactBytes(t *testing.T) {
	dir, files := written(t)
	addText(t, filepath.Join(dir, "2026-12.jsonl"), "half")
	var out bytes.Buffer
	check(t, Export(context.Background(), dir, &out))
	if want := strings.Join(append(files["2026-11.jsonl"], files["2026-12.jsonl"]...), ""); out.String() != want {
		t.Errorf("exported %q", out.String())
	}
	if _, err := Lines(context.Background(), filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a log that is not there was read")
	}
}

// Any bytes are read in bounded memory: what is read is what is written, and what is not is named.
func FuzzALog(f *testing.F) {
	good := actionEntry(Action{Actor: "local:0", Action: "a", Params: []byte("p")})
	var c clock
	c.set("2026-11-30T10:00:00Z")
	line := good.line(1, c.now(), zeros)
	f.Add(line)
	f.Add(append(slices.Clone(line), unknownEntry(1).line(2, c.now(), sumOf(line[:len(line)-1]))...))
	f.Add(line[:20])
	f.Add(bytes.Repeat([]byte("x"), maxLineBytes+1))
	f.Add([]byte("\n\n"))
	dir := f.TempDir()
	l, err := Open(dir, Options{Clock: c.now})
	check(f, err)
	check(f, l.Close())
	f.Fuzz(func(t *testing.T, text []byte) {
		chain := newChain()
		r := newReader(bytes.NewReader(text), false)
		var size int64
		for n := 1; ; n++ {
			rec, err := r.next()
			if err != nil {
				break
			}
			size += rec.size
			if len(rec.text) > maxLineBytes {
				t.Errorf("%d bytes are kept", len(rec.text))
			}
			chain.step("2026-11.jsonl", n, rec)
		}
		chain.end(Head{}, headFile)
		if size != int64(len(text)) {
			t.Errorf("%d bytes of %d were read", size, len(text))
		}
		if len(chain.faults) > 0 {
			return
		}
		again, sum := []byte(nil), zeros
		for part := range bytes.SplitAfterSeq(text, []byte("\n")) {
			if len(part) == 0 {
				continue
			}
			read, err := decode(part[:len(part)-1])
			if err != nil || read.Prev != sum {
				t.Fatalf("a fault was not named: %v", err)
			}
			sum = sumOf(part[:len(part)-1])
			again = append(again, part...)
		}
		if !bytes.Equal(again, text) {
			t.Error("read and written are not the same")
		}
	})
}
