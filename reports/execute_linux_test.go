package reports

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

const forbidden = "STATEWIRE_TEST_NO_NEW_CODE"

// TestEveryReportRunsWhereNoCodeMayBeMade runs them all three times in a process that may
// not make memory executable, as MemoryDenyWriteExecute= of systemd has it. An engine that
// compiles does so from an expression's third use on.
func TestEveryReportRunsWhereNoCodeMayBeMade(t *testing.T) {
	if os.Getenv(forbidden) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), forbidden+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); err != nil {
		t.Skipf("this kernel has no PR_SET_MDWE: %v", err)
	}
	r := newSeed(t).runner()
	for range 3 {
		for _, rep := range r.Catalog().List() {
			rows, err := r.Run(t.Context(), rep.Name, requiredParams(rep), Page{})
			if err != nil {
				t.Errorf("%s: %v", rep.Name, err)
				continue
			}
			readRows(t, rows)
		}
	}
}
