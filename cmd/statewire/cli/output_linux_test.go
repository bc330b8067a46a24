package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestBinaryIsNotWrittenToATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal to be had:", err)
	}
	defer terminal.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, tc := range []struct {
		name    string
		format  string
		out     *os.File
		refused bool
	}{
		{"parquet to a terminal", "parquet", terminal, true},
		{"parquet to a device that is no terminal", "parquet", null, false},
		{"text to a terminal", "csv", terminal, false},
	} {
		cmd := &cobra.Command{}
		cmd.SetOut(tc.out)
		err := (&Globals{Format: tc.format}).redirected(cmd)
		if refused := err != nil && strings.Contains(err.Error(), "> FILE.parquet"); refused != tc.refused {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
