package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// OpenEmpty opens an embedded store that holds nothing, in a temporary folder which
// Close removes. It answers for a site that has no store yet: nothing is made there.
func OpenEmpty(ctx context.Context, cfg Config, opt Options) (*Store, error) {
	dir, err := os.MkdirTemp("", "statewire-empty-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for an empty store: %w", err)
	}
	cfg.Addr = nil
	opt.Dir, opt.Access, opt.Keep = dir, Create, false
	s, err := Open(ctx, cfg, opt)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.temporary = dir
	return s, nil
}
