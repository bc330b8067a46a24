package embedded

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSurroundingsDoNotReachTheEngine(t *testing.T) {
	library, err := FindLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	gone := `mkdir "$STATEWIRE_TEST_PATH.gone" && cd "$STATEWIRE_TEST_PATH.gone" && rmdir "$STATEWIRE_TEST_PATH.gone" && `
	tests := []struct {
		name, shell string
		env         []string
	}{
		{"a time zone that is in no database", "", []string{"TZ=Nowhere/Land"}},
		{"a time zone's file that is not there", "", []string{"TZ=/nonexistent"}},
		{"no working directory, no folder for temporary files, no home, a language nobody knows, closed streams", gone,
			[]string{"TZ=UTC+3", "TMPDIR=/nonexistent", "HOME=/nonexistent", "LANG=xx_YY", "LC_ALL=tr_TR.ISO-8859-9",
				"OPENSSL_CONF=/nonexistent"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := helper(t, "zone", filepath.Join(t.TempDir(), "store"))
			cmd.Args = []string{"sh", "-c", tt.shell + `exec "$0" <&- 2>&-`, cmd.Path}
			cmd.Path = "/bin/sh"
			cmd.Env = append(append(cmd.Env, EnvLibrary+"="+library), tt.env...)
			out, err := cmd.Output()
			if want := "UTC 2026-07-01 12:00:00 +0000 " + tt.env[0]; err != nil || string(out) != want {
				t.Errorf("said %q (%v), want %q", out, err, want)
			}
		})
	}
}

func TestTooLittleRoomIsRefusedWithTheLimitsName(t *testing.T) {
	cmd := helper(t, "intruder", t.TempDir())
	cmd.Args = []string{"sh", "-c", `ulimit -n 255; exec "$0"`, cmd.Path}
	cmd.Path = "/bin/sh"
	out, err := cmd.Output()
	want := "this process may have 255 open files; the embedded engine needs at least 256: raise the limit (ulimit -n, " +
		"LimitNOFILE=)\n"
	if err == nil || string(out) != want {
		t.Errorf("said %q (%v), want %q", out, err, want)
	}
	if err := roomy("apples", "x", unix.RLIMIT_AS, 1); err != nil {
		t.Errorf("enough is refused: %v", err)
	}
}

func TestARefusalIsTheCauseAndNoWarningBeforeIt(t *testing.T) {
	fallback := errors.New("the engine refused a connection")
	warning := "Cannot use cgroups reader: Code: 107. DB::Exception: Cannot find cgroups v1 or v2 current memory file. " +
		"(FILE_DOESNT_EXIST), " +
		"Stack trace (when copying this message, always include the lines below):\n\n0. ? @ 0x1c8f\n (version 26.7.2.1)\n"
	failed := "2026.11.29 01:27:54.024154 [ 1 ] {} <Error> EmbeddedServer: Failed to initialize EmbeddedServer: Error " +
		"initializing EmbeddedServer: "
	tests := []struct{ name, said, want string }{
		{"nothing was said", "", "the engine refused a connection"},
		{"the last code counts", warning + "Code: 36. DB::Exception: Cannot load time zone X. (BAD_ARGUMENTS)\n" + failed +
			"\nconn\n",
			"Code: 36. DB::Exception: Cannot load time zone X. (BAD_ARGUMENTS)"},
		{"the cause at the end counts more than a code", warning + failed +
			"std::exception. Code: 1001, type: x, e.what() = filesystem error: Not a directory [\"/d\"], " +
			"Stack trace (when copying this message, always include the lines below):\n\n0. ? @ 0x2\n",
			`std::exception. Code: 1001, type: x, e.what() = filesystem error: Not a directory ["/d"]`},
		{"an exception at the end",
			failed + "Code: 76. DB::ErrnoException: Cannot open file /d/status: , errno: 13, strerror: Permission denied. " +
				"(CANNOT_OPEN_FILE) (version 26.7.2.1)\n",
			"Code: 76. DB::ErrnoException: Cannot open file /d/status: , errno: 13, strerror: Permission denied. " +
				"(CANNOT_OPEN_FILE)"},
	}
	for _, tt := range tests {
		if got := refusal(tt.said, fallback).Error(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	var ex *Exception
	if err := refusal(tests[3].said, fallback); !errors.As(err, &ex) || ex.Code != 76 {
		t.Errorf("%v has no code", err)
	}
}

// TestTheLogOfThisProgramIsNotLost writes log lines while an engine does not open, as a
// relay does in the same process.
func TestTheLogOfThisProgramIsNotLost(t *testing.T) {
	own := "time=2026-11-29T01:27:54Z level=INFO msg=x\n{\"time\":\"2026-11-29T01:27:54Z\"}\n" +
		"<6>time=2026-11-29T01:27:54Z\n"
	broken := errors.New("does not open")
	var inner string
	outer, err := captureStderr(func() error {
		var err error
		inner, err = captureStderr(func() error {
			_, _ = os.Stderr.WriteString(own + "Code: 1. no line of ours\n")
			return broken
		})
		return err
	})
	if outer != own || !strings.HasSuffix(inner, "no line of ours\n") || !errors.Is(err, broken) {
		t.Errorf("passed on %q of %q (%v)", outer, inner, err)
	}
}

// TestReadOnlySendsNothingAndReadsNoFile offers every table function that the engine has an
// address that listens and a file that is there.
func TestReadOnlySendsNothingAndReadsNoFile(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	touched := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				close(touched)
				return
			}
			touched <- struct{}{}
			conn.Close()
		}
	}()
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("word,number\ntopsecret,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := serve(t, true)
	names, err := engine.keeper.scalar("SELECT name FROM system.table_functions ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().String()
	var statements []string
	for _, name := range strings.Fields(names) {
		if insideTables[strings.ToLower(name)] {
			continue
		}
		for _, args := range []string{"'http://" + at + "/bucket/x.csv'", "'" + secret + "'",
			"'" + at + "', 'd', 't', 'u', 'p'"} {
			statements = append(statements, "DESCRIBE TABLE "+name+"("+args+")", "DESC (SELECT * FROM `"+strings.ToUpper(name)+
				"` /* */ ("+args+"))")
		}
	}
	statements = append(statements,
		"EXISTS TABLE url('http://"+at+"/x.csv')",
		"EXPLAIN TABLE OVERRIDE mysql('"+at+"', 'd', 't', 'u', 'p')",
		"CREATE TEMPORARY TABLE x ENGINE = URL('http://"+at+"/x.csv', CSV)",
		"FROM url('http://"+at+"/x.csv') SELECT *",
		"file('"+secret+"')",
		"SELECT hasColumnInTable('"+at+"', 'u', 'p', 'd', 't', 'c')",
		"SELECT * FROM `"+secret+"`", "SELECT * FROM default.`"+secret+"`", "SELECT * FROM '"+secret+"'", "DESCRIBE TABLE `"+
			secret+"`",
		"SELECT * FROM view(SELECT * FROM url('http://"+at+"/x.csv'))",
		"SHOW CREATE TABLE url('http://"+at+"/x.csv')",
	)
	for _, sql := range statements {
		status, body, _ := ask(t, "POST", srv.URL, sql)
		if status == 200 || strings.Contains(body, "topsecret") || strings.Contains(body, "word") &&
			!strings.Contains(body, "Expected one of") {
			t.Errorf("%s: %d %.200s", sql, status, body)
		}
	}
	ln.Close()
	n := 0
	for range touched {
		n++
	}
	if n > 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestFunctionsThatReachOutsideAreKnown fails when a later engine has a function with such
// a name: look at it, then put it into outsideFunctions or on this list.
func TestFunctionsThatReachOutsideAreKnown(t *testing.T) {
	harmless := []string{"URLHash", "URLHierarchy", "URLPathHierarchy", "cutURLParameter", "decodeURLComponent",
		"decodeURLFormComponent", "encodeURLComponent",
		"encodeURLFormComponent", "extractURLParameter", "extractURLParameterNames", "extractURLParameters",
		"base64URLDecode", "base64URLEncode", "tryBase64URLDecode",
		"defaultProfiles", "currentProfiles", "enabledProfiles", // names of profiles
		"filesystemAvailable", "filesystemCapacity", "filesystemUnreserved", // numbers of the store's own disk
		"getClientHTTPHeader", // off by default
	}
	names, err := engine.keeper.scalar(
		"SELECT name FROM system.functions WHERE match(name, " +
			"'(?i)url|file|http|dns|remote|^ai[A-Z]|^ai|exec|s3|jdbc|odbc|catboost|evalML|udf|columnInTable|certificate') " +
			"AND NOT is_aggregate")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(names) {
		if !outsideFunctions[strings.ToLower(name)] && !slices.Contains(harmless, name) {
			t.Errorf("the function %s is new: does it reach outside the store?", name)
		}
	}
}

func TestForeignCallersHaveNoSayInFilesAndHosts(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, readonly := range []bool{true, false} {
		srv := serve(t, readonly)
		for setting, want := range map[string]bool{
			"output_format_schema=" +
				url.QueryEscape(out): readonly, "format_schema=x": readonly, "allow_experimental_eval_table_function=1": readonly,
			"compile_expressions=1": true, "Compile_Expressions=0": true, "session_timezone=Europe%2FBerlin": false,
			"enable_http_compression=1": false,
		} {
			if status, body, _ := ask(t, "POST", srv.URL+"/?"+setting, "SELECT 1"); (status == 403) != want {
				t.Errorf("readonly %t, %s: %d %s", readonly, setting, status, body)
			}
		}
	}
}
