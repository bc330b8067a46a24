package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/store"
	"statewire/store/storetest"
)

// A real cluster cannot run here. What can be proven is that every rewritten
// statement is one the engine's parser takes, and that none was left out.
func TestClusterDefinitionsParse(t *testing.T) {
	s := storetest.New(t)
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		plain, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := store.ForCluster(string(plain), "site's")
		for _, sql := range strings.Split(text, ";\n") {
			if sql = strings.TrimSpace(sql); sql == "" {
				continue
			}
			if err := s.Conn().Exec(t.Context(), "EXPLAIN AST "+afterComments(sql)); err != nil {
				t.Errorf("%s: %v\n%s", file, err, sql)
			}
			rows := strings.HasPrefix(afterComments(sql), "INSERT INTO ") // which the tables replicate
			if !rows && !strings.Contains(sql, "ON CLUSTER `site's`") {
				t.Errorf("%s is created on one server only:\n%s", file, sql)
			}
			if strings.Contains(sql, "ENGINE = ") && (!strings.Contains(sql, "ENGINE = Replicated") ||
				!strings.Contains(sql, "min_compressed_bytes_to_fsync_after_fetch = 1")) {
				t.Errorf("%s is not replicated durably:\n%s", file, sql)
			}
		}
	}
}

func afterComments(sql string) string {
	for strings.HasPrefix(sql, "--") {
		_, sql, _ = strings.Cut(sql, "\n")
	}
	return sql
}
