package store

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"

	"statewire/store/embedded"
)

// choose finds the engine and says which it is.
func (s *Store) choose(ctx context.Context, opt Options) (string, error) {
	if len(s.cfg.Addr) > 0 {
		var err error
		s.options, err = s.cfg.serverOptions(opt.ReadFile)
		return "server", err
	}
	socket := filepath.Join(opt.Dir, "statewire.sock")
	if rt := socketTransport(socket, SocketPath); answers(ctx, rt) {
		s.options = s.cfg.transportOptions(rt)
		return "socket", nil
	}
	if err := mayStart(opt); err != nil {
		return "", err
	}
	library, err := embedded.FindLibrary(s.cfg.Engine)
	if err != nil {
		return "", err
	}
	s.engine, err = embedded.Open(embedded.Config{Library: library, Path: filepath.Join(opt.Dir, "store"),
		MemoryBytes: s.cfg.Memory, Args: opt.Engine})
	if err != nil {
		return "", explain(err)
	}
	s.options = s.cfg.transportOptions(s.engine)
	return "embedded", nil
}

// mayStart says why the access does not start the embedded engine.
func mayStart(opt Options) error {
	if opt.Access == Look {
		return ErrNotServed
	}
	if opt.Access >= Create {
		return nil
	}
	if !hasStore(opt.Dir) {
		return fmt.Errorf("%w: nothing lies in %s; the first start of a site makes it", ErrEmpty,
			filepath.Join(opt.Dir, "store"))
	}
	return nil
}

// explain says what to do about an engine that does not open because of its files.
// Its own words are long, name settings that would delete the evidence, and are cut.
func explain(err error) error {
	const keep = 400
	text := err.Error()
	if len(text) > keep {
		text = text[:keep] + "…"
	}
	if forbidden.MatchString(text) {
		return fmt.Errorf("%w: give everything below the data directory to the user that runs the site (chown -R), "+
			"nothing is lost: %s", ErrForbidden, text)
	}
	if !brokenFiles.MatchString(err.Error()) {
		return err
	}
	return fmt.Errorf("%w: change nothing there, and see \"When the store is damaged\" in docs/store.md; relays go on "+
		"taking reports: %s", ErrDamaged, text)
}

// brokenFiles matches the engine's codes for broken parts, checksums and metadata, and
// what it says of a definition that it can't read.
var brokenFiles = regexp.MustCompile(
	`Code: (?:226|228|231|246|40|33|32|27|479|117)\.|Syntax error \(in file |Cannot parse definition from metadata file`)

// forbidden matches what the engine says of a file that is not this user's.
var forbidden = regexp.MustCompile(`errno: 13,|(?i)permission denied`)

// answers says whether an owner serves its store at the other end.
func answers(ctx context.Context, rt http.RoundTripper) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://statewire/ping", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
