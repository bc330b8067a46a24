package smx_test

import (
	"testing"

	"statewire/fixtures"
	"statewire/smx"
)

func TestParseClientID(t *testing.T) {
	t.Parallel()
	id, err := smx.ParseClientID("guid:F1b03089-9EA1-4A64-83DC-5F8E77BDDEB4")
	if err != nil || id.String() != fixtures.Client || id.UUID() != "f1b03089-9ea1-4a64-83dc-5f8e77bddeb4" {
		t.Errorf("%v, %v", id, err)
	}
	if back, err := smx.ParseUUID(id.UUID()); err != nil || back != id {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "GUID:", id.UUID(), "GUID:F1B030899EA14A6483DC5F8E77BDDEB4",
		"GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEBG", fixtures.Client + " ", "GUID;" + id.UUID()} {
		if _, err := smx.ParseClientID(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}
