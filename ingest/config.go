package ingest

import (
	"errors"
	"fmt"
	"time"
)

// Config tells how the loader works through the inbox. The names are those of the classic site control file.
type Config struct {
	// LoaderThreads is how many threads read and decode files. Default 4; at least 1.
	LoaderThreads int `mapstructure:"loader_threads"`
	// LoaderChunkFiles is how many files a thread claims at once. Default 256; at least 1.
	LoaderChunkFiles int `mapstructure:"loader_chunk_size"`
	// MaxChunksFetched bounds the files looked at in one pass over the inbox, in chunks. Default 100; at least 1.
	MaxChunksFetched int `mapstructure:"max_chunks_fetched"`
	// InboxPollingInterval is the longest time a file waits when every notification was lost. Default 900s; at least 1s.
	InboxPollingInterval time.Duration `mapstructure:"inbox_polling_interval"`
	// HeartbeatInterval is the time between two heartbeats in the component status. Default 15m; at least 1s.
	HeartbeatInterval time.Duration `mapstructure:"heartbeat_interval"`
	// BatchRows is how many messages an insert waits for, unless BatchDelay comes first; what has piled up goes with them.
	// Default 50000; 1 to 500000.
	BatchRows int `mapstructure:"batch_rows"`
	// BatchDelay is the longest time a message waits, from its arrival on, for others to share its insert. After a rest of
	// half of it the first waits for none, and the wait doubles while messages keep coming. Default 4s; at most 1m, zero
	// waits for none.
	BatchDelay time.Duration `mapstructure:"batch_delay"`
	// SetAsidePerHour is how many bad records of a client are kept in corrupt in an hour; of what comes then only the
	// numbers are kept. Those of one report are kept all or none. Default 1000; zero keeps all.
	SetAsidePerHour int `mapstructure:"set_aside_per_hour"`
	// CorruptLimit bounds the bytes of corrupt, in blocks of 4 KiB. Beyond it the oldest files of the client that holds
	// most go, but the latest of each reason and client. Default 1 GiB; zero sets no bound.
	CorruptLimit int64 `mapstructure:"corrupt_limit"`
	// CorruptAge is how long a file stays in corrupt, but the latest of each reason and client. Default 0: until somebody
	// replays or drops it; else at least 1h.
	CorruptAge time.Duration `mapstructure:"corrupt_age"`
}

// DefaultConfig returns what the documentation promises.
func DefaultConfig() Config {
	return Config{
		LoaderThreads:        4,
		LoaderChunkFiles:     256,
		MaxChunksFetched:     100,
		InboxPollingInterval: 900 * time.Second,
		HeartbeatInterval:    15 * time.Minute,
		BatchRows:            50_000,
		BatchDelay:           4 * time.Second,
		SetAsidePerHour:      1000,
		CorruptLimit:         1 << 30,
	}
}

// Validate reports every field out of range, named as in the configuration file.
func (c Config) Validate() error {
	var errs []error
	whole := func(key string, got, min, max int) {
		if got < min || got > max {
			errs = append(errs, fmt.Errorf("ingest.%s is %d; allowed are %d to %d", key, got, min, max))
		}
	}
	span := func(key string, got, min, max time.Duration) {
		if got < min || got > max {
			errs = append(errs, fmt.Errorf("ingest.%s is %v; allowed are %v to %v", key, got, min, max))
		}
	}
	whole("loader_threads", c.LoaderThreads, 1, 64)
	whole("loader_chunk_size", c.LoaderChunkFiles, 1, 10_000)
	whole("max_chunks_fetched", c.MaxChunksFetched, 1, 1_000)
	whole("batch_rows", c.BatchRows, 1, 500_000)
	span("inbox_polling_interval", c.InboxPollingInterval, time.Second, 24*time.Hour)
	span("heartbeat_interval", c.HeartbeatInterval, time.Second, 24*time.Hour)
	whole("set_aside_per_hour", c.SetAsidePerHour, 0, 1_000_000_000)
	if c.CorruptLimit != 0 && c.CorruptLimit < 1<<20 {
		errs = append(errs, fmt.Errorf(
			"ingest.corrupt_limit is %d bytes; allowed are 0, which sets no limit, and 1MiB or more", c.CorruptLimit))
	}
	if c.CorruptAge != 0 && c.CorruptAge < time.Hour {
		errs = append(errs, fmt.Errorf("ingest.corrupt_age is %v; allowed are 0, which keeps all, and 1h or more",
			c.CorruptAge))
	}
	span("batch_delay", c.BatchDelay, 0, time.Minute)
	return errors.Join(errs...)
}
