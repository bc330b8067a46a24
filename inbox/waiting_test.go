package inbox

import (
	"slices"
	"statewire/inbox/disk"
	"testing"
)

func TestWaitingIsWhatIsNeitherStoredNorSetAside(t *testing.T) {
	m, d, l := stuckFile(t) // a.SMX is stored and can't be deleted, c.SMX waits
	m.drop(disk.Folder(High), "h.SMX", "x")
	m.drop(disk.Folder(Normal), "notes.txt", "x")
	files, err := d.Waiting()
	check(t, err)
	want := []LaneFile{{High, "h.SMX"}, {Low, "c.SMX"}}
	if !slices.Equal(files, want) {
		t.Errorf("waiting: %v, want %v", files, want)
	}
	left := func(files ...LaneFile) []LaneFile {
		t.Helper()
		left, err := d.Left(slices.Clone(files))
		check(t, err)
		return left
	}
	all := []LaneFile{{Normal, "a.SMX"}, {Normal, "never.SMX"}, {High, "h.SMX"}, {Low, "c.SMX"}}
	if got := left(all...); !slices.Equal(got, want) {
		t.Errorf("left: %v, want %v", got, want)
	}
	c := claim(t, l)
	if got := left(all...); !slices.Equal(got, want) {
		t.Errorf("once claimed: %v, want %v", got, want)
	}
	immutable(m, false)
	check(t, c.SetAside(c.Files[0], Reason{Code: "x"}))
	if got := left(all...); !slices.Equal(got, want[1:]) {
		t.Errorf("once set aside: %v, want %v", got, want[1:])
	}
}
