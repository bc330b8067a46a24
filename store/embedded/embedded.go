// Package embedded runs the ClickHouse engine inside this process and speaks
// ClickHouse's HTTP protocol to it, so that the same driver reaches it as reaches a
// server; at most one process at a time has a path open.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// ErrInUse says that another process has the path open.
var ErrInUse = errors.New("another process has it open")

// ErrClosed says that the engine was closed.
var ErrClosed = errors.New("the embedded engine is closed")

// defaultMemoryBytes bounds the engine's allocations when Config says nothing.
const defaultMemoryBytes = 480 << 20

// maxConns bounds the statements that run at once.
const maxConns = 16

// Config says which library runs on which directory.
type Config struct {
	// Library is the path of the engine library, as FindLibrary returns it.
	Library string
	// Path is the directory of the data; made when missing.
	Path string
	// MemoryBytes bounds what the engine allocates. Zero is 480 MiB.
	MemoryBytes int64
	// Args are further engine options, as in --merge_max_block_size=1024.
	Args []string
}

// Engine is an open engine. It is a http.RoundTripper that answers like a
// ClickHouse server's HTTP port.
type Engine struct {
	// Constant after Open.
	lib     *library
	args    []string
	lock    *lockFile
	version string
	keeper  *conn // keeps the engine running while the pool is empty
	pool    *pool
	outside map[string]bool // table functions that reach outside the store
	passed  passed

	closing   context.Context
	close     context.CancelFunc
	running   sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// opened guards the rule of the library: one path per process at a time, and none
// after a shutdown.
var opened sync.Mutex

// Open loads the library and opens the engine on its directory. It fails with
// ErrInUse when another process has that directory open. One engine at a time may
// be open in a process; Close it before opening another.
func Open(cfg Config) (*Engine, error) {
	if !opened.TryLock() {
		return nil, errors.New("this process runs an embedded engine already")
	}
	e, err := open(cfg)
	if err != nil {
		opened.Unlock()
		return nil, err
	}
	return e, nil
}

func open(cfg Config) (*Engine, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("store path %s: %w", cfg.Path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	lock, err := lockPath(path)
	if err != nil {
		return nil, err
	}
	e := &Engine{args: arguments(cfg, path), lock: lock}
	e.closing, e.close = context.WithCancel(context.Background())
	if err := e.start(cfg, path); err != nil {
		lock.release()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(cfg Config, path string) error {
	if err := settle(path, cfg.memory()); err != nil {
		return err
	}
	lib, err := loadLibrary(cfg.Library)
	if err != nil {
		return err
	}
	e.lib = lib
	lib.handleSignals(0) // else the engine takes Go's signals
	if err := e.dialKeeper(); err != nil {
		return fmt.Errorf("open the embedded engine on %s: %w", path, err)
	}
	e.pool = newPool(maxConns, func(id int) (*conn, error) { return dial(lib, e.args, id) })
	if e.version, err = e.keeper.scalar("SELECT version()"); err != nil {
		err = fmt.Errorf("ask the embedded engine for its version: %w", err)
	} else {
		err = e.findOutside()
	}
	if err != nil {
		lib.closeConn(e.keeper.handle)
	}
	return err
}

func (c Config) memory() int64 {
	if c.MemoryBytes <= 0 {
		return defaultMemoryBytes
	}
	return c.MemoryBytes
}

// arguments keeps every cache small: the whole process has to stay below 1 GiB.
func arguments(cfg Config, path string) []string {
	memory := cfg.memory()
	size := func(n int64) string { return strconv.FormatInt(n, 10) }
	return append([]string{
		"clickhouse",
		"--path=" + path,
		"--max_server_memory_usage=" + size(memory),
		"--merges_mutations_memory_usage_soft_limit=" + size(memory/2),
		"--mark_cache_size=" + size(memory/20),
		"--primary_index_cache_size=" + size(memory/20),
		"--index_mark_cache_size=" + size(memory/40),
		"--query_condition_cache_size=" + size(memory/80),
		"--compiled_expression_cache_size=" + size(memory/40),
		"--parquet_metadata_cache_size=" + size(memory/80),
		"--uncompressed_cache_size=0",
		"--logger.level=none",
		"--compile_expressions=0",
		"--compile_aggregate_expressions=0",
		"--compile_sort_description=0",
	}, cfg.Args...)
}

// Version is the engine's version, as in 26.7.2.1.
func (e *Engine) Version() string { return e.version }

// closeTime is how long Close waits for answers that nobody reads to their end.
const closeTime = 20 * time.Second

// Close asks the statements under way to stop, waits for them and ends the engine.
// The directory is then free for another process.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.close()
		if !e.idleWithin(closeTime) {
			e.closeErr = fmt.Errorf("close the embedded engine: statements still run after %s; it ends with the process",
				closeTime)
			return
		}
		e.pool.close()
		e.lib.closeConn(e.keeper.handle)
		e.closeErr = e.lock.release()
		opened.Unlock()
	})
	return e.closeErr
}

// idleWithin waits until no statement runs.
func (e *Engine) idleWithin(d time.Duration) bool {
	idle := make(chan struct{})
	go func() {
		e.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return true
	case <-time.After(d):
		return false
	}
}
