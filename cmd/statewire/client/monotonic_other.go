//go:build !linux

package client

import "time"

// monotonic is of use to systemd only, which is not here.
func monotonic() time.Duration { return 0 }
