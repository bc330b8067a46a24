package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// child is what another process of this test binary does.
func child(role string) int {
	library, err := FindLibrary("")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	e, err := Open(Config{Library: library, Path: os.Getenv("STATEWIRE_TEST_PATH")})
	if role == "repaired" {
		return repaired(library, err)
	}
	if role == "intruder" {
		fmt.Println(err)
		if errors.Is(err, ErrInUse) {
			return 0
		}
		return 1
	}
	if err == nil {
		err = roles[role](e)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var roles = map[string]func(*Engine) error{"zone": zone, "writer": write, "count": count, "quiet": quiet,
	"reopen": reopen}

// zone says in which time zone the engine is and which environment this program has.
func zone(e *Engine) error {
	said, err := e.keeper.scalar(
		"SELECT concat(timezone(), ' ', formatDateTime(toDateTime('2026-07-01 12:00:00'), '%F %T %z'))")
	if err == nil {
		fmt.Printf("%s TZ=%s", said, os.Getenv("TZ"))
	}
	return errors.Join(err, e.Close())
}

// write inserts and reports each acknowledgement, until it is killed.
func write(e *Engine) error {
	err := e.keeper.exec("CREATE TABLE IF NOT EXISTS default.killed (a UInt64) ENGINE = MergeTree ORDER BY a")
	if err != nil {
		return err
	}
	first, err := e.keeper.scalar("SELECT count() FROM default.killed")
	if err != nil {
		return err
	}
	var i uint64
	for _, err = fmt.Sscan(first, &i); err == nil; i++ {
		if err = e.keeper.exec(fmt.Sprintf("INSERT INTO default.killed SETTINGS async_insert = 0 VALUES (%d)",
			i)); err == nil {
			fmt.Println(i)
		}
	}
	return err
}

// count says how many numbers from 0 on are there without a hole.
func count(e *Engine) error {
	n, err := e.keeper.scalar("SELECT if(count() = uniqExact(a) AND max(a) + 1 = count(), count(), 0) FROM default.killed")
	if err == nil {
		fmt.Println(n)
	}
	return errors.Join(err, e.Close())
}

// quiet does a little of everything, with errors among it.
func quiet(e *Engine) error {
	for _, sql := range []string{
		"CREATE TABLE default.q (a UInt64) ENGINE = MergeTree ORDER BY a",
		"INSERT INTO default.q SELECT number FROM numbers(1000)",
		"INSERT INTO default.q SELECT number FROM numbers(1000)",
		"OPTIMIZE TABLE default.q FINAL",
	} {
		if err := e.keeper.exec(sql); err != nil {
			return err
		}
	}
	for _, sql := range []string{"SELECT nothing", "SELEC", "INSERT INTO default.q VALUES ('x')", "SELECT throwIf(1)",
		"SELECT * FROM remote('127.0.0.1:1', 'system.one')"} {
		if err := e.keeper.exec(sql); err == nil {
			return fmt.Errorf("%s: no error", sql)
		}
	}
	return e.Close()
}

// reopen closes the engine and opens it again, on another path and on the first.
func reopen(e *Engine) error {
	if err := e.keeper.exec("CREATE TABLE default.r ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a"); err != nil {
		return err
	}
	library, err := FindLibrary("")
	if err != nil {
		return err
	}
	path := os.Getenv("STATEWIRE_TEST_PATH")
	for _, next := range []struct{ path, want string }{{path + "2", "0"}, {path, "1"}} {
		if err := e.Close(); err != nil {
			return err
		}
		if e, err = Open(Config{Library: library, Path: next.path}); err != nil {
			return err
		}
		got, err := e.keeper.scalar("SELECT count() FROM system.tables WHERE name = 'r'")
		if err != nil || got != next.want {
			return fmt.Errorf("%s: %s tables, want %s: %w", next.path, got, next.want, err)
		}
	}
	return e.Close()
}

// repaired opens an engine that did not open, once its folder is as it should be.
func repaired(library string, err error) int {
	path := os.Getenv("STATEWIRE_TEST_PATH")
	if err == nil {
		fmt.Println("it opened")
	}
	err = os.Remove(filepath.Join(path, "data"))
	if err == nil {
		var e *Engine
		if e, err = Open(Config{Library: library, Path: path}); err == nil {
			err = e.Close()
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
