package store

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"
)

// On a cluster the same definitions are created everywhere, with replicated tables.
// One shard: every replica holds all rows. The rewriting is proven to parse; it has
// not run on a real cluster.

func (s *Store) replicated() bool { return s.cfg.Cluster != "" }

// onCluster is the clause that sends DDL everywhere; empty for a single server.
func (s *Store) onCluster() string { return onCluster(s.cfg.Cluster) }

func onCluster(name string) string {
	if name == "" {
		return ""
	}
	return " ON CLUSTER `" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

var (
	createLine = regexp.MustCompile(`(?m)^(CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS \w+)`)
	alterLine  = regexp.MustCompile(`(?m)^(ALTER TABLE \w+|DROP (?:TABLE|VIEW) IF EXISTS(?: IF EMPTY)? \w+)`)
	engineLine = regexp.MustCompile(`(?m)^ENGINE = (\w*MergeTree)(?:\((.*)\))?$`)
	fsyncLine  = "SETTINGS fsync_after_insert = 1"
)

// forCluster rewrites one migration.
func forCluster(sql, cluster string) string {
	sql = createLine.ReplaceAllString(sql, "${1}"+strings.ReplaceAll(onCluster(cluster), "$", "$$"))
	sql = alterLine.ReplaceAllString(sql, "${1}"+strings.ReplaceAll(onCluster(cluster), "$", "$$"))
	sql = engineLine.ReplaceAllStringFunc(sql, func(line string) string {
		m := engineLine.FindStringSubmatch(line)
		return "ENGINE = " + replicatedEngine(m[1], m[2])
	})
	return strings.ReplaceAll(sql, fsyncLine,
		"SETTINGS min_compressed_bytes_to_fsync_after_fetch = 1, fsync_after_insert = 1")
}

func replicatedEngine(kind, arguments string) string {
	if arguments != "" {
		arguments = ", " + arguments
	}
	return fmt.Sprintf("Replicated%s('/clickhouse/tables/{database}/{table}', '{replica}'%s)", kind, arguments)
}

// clusterFS is a folder of migrations, rewritten for a cluster.
type clusterFS struct {
	fs.FS
	cluster string
}

func (c clusterFS) Open(name string) (fs.File, error) {
	if !strings.HasSuffix(name, ".sql") {
		return c.FS.Open(name)
	}
	text, err := fs.ReadFile(c.FS, name)
	if err != nil {
		return nil, err
	}
	text = []byte(forCluster(string(text), c.cluster))
	return &textFile{Reader: bytes.NewReader(text), name: name, size: int64(len(text))}, nil
}

// textFile is a file in memory.
type textFile struct {
	*bytes.Reader
	name string
	size int64
}

func (f *textFile) Stat() (fs.FileInfo, error) { return textInfo{f}, nil }
func (f *textFile) Close() error               { return nil }

type textInfo struct{ file *textFile }

func (i textInfo) Name() string       { return i.file.name }
func (i textInfo) Size() int64        { return i.file.size }
func (i textInfo) Mode() fs.FileMode  { return 0o444 }
func (i textInfo) ModTime() time.Time { return time.Time{} }
func (i textInfo) IsDir() bool        { return false }
func (i textInfo) Sys() any           { return nil }
