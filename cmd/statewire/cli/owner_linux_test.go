package cli

import (
	"fmt"
	"path/filepath"
	"testing"
)

// nobodyKnown is a user without a name.
const nobodyKnown = 54321

// Who is not root, or works on root's own data, stays who it is.
func TestForeignOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none")} {
		if who, err := foreignOwner(path); who != nil || err != nil {
			t.Errorf("%s: %+v, %v", path, who, err)
		}
	}
	if who := lookUp(0, 7); who.name != "root" || who.gid != 0 || who.groups[0] != 0 {
		t.Errorf("root is %+v", who)
	}
	if who := lookUp(nobodyKnown, 7); who.name != "#54321" || who.uid != nobodyKnown || who.gid != 7 ||
		len(who.groups) != 1 || who.groups[0] != 7 {
		t.Errorf("a user without a name is %+v", who)
	}
}

func TestRootJoinsEveryGroupOfTheOwner(t *testing.T) {
	who := &owner{gid: 7, groups: []int{7}}
	who.joins("100", []string{"100", "4", "27", "none"})
	if who.gid != 100 || fmt.Sprint(who.groups) != "[100 4 27]" {
		t.Errorf("group %d of %v", who.gid, who.groups)
	}
}
