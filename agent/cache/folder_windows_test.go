package cache

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

func TestOnlyTheAgentsUserMayEnterItsFolders(t *testing.T) {
	outer := filepath.Join(t.TempDir(), "data")
	inner := filepath.Join(outer, "agent")
	for range 2 { // a folder that is there is no error
		if err := makeFolder(inner); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{outer, inner} {
		access, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		for _, everybody := range []string{";WD)", ";AU)", ";BU)"} {
			if strings.Contains(access.String(), everybody) {
				t.Errorf("%s: everybody may enter: %s", path, access)
			}
		}
	}
}
