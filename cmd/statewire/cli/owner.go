package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"statewire/configs"
)

// Root works on a site as the site's own user, or it would leave files there that the site cannot open. What the
// command line names may be for root's eyes only: it is opened before.

// Prepare checks the flags and becomes the owner of the data directory. Before that it opens what the command line
// names, and calls open when that is not nil.
func (g *Globals) Prepare(cmd *cobra.Command, open func() error) error {
	if err := g.PrepareAsCaller(cmd); err != nil {
		return err
	}
	who, err := foreignOwner(g.Data)
	if err != nil || who == nil {
		return err
	}
	if err := g.keepNamed(cmd); err != nil {
		return err
	}
	if open != nil {
		if err := open(); err != nil {
			return err
		}
	}
	if err := who.become(); err != nil {
		return Usage(fmt.Errorf(
			"%s belongs to %s, and this process cannot become that user (%w); run it as %[2]s: sudo -u %[2]s statewire …", g.Data, who.name, err))
	}
	if _, err := os.Stat("."); err != nil { // a folder that the other user may not enter, and the engine wants to
		return os.Chdir(g.Data)
	}
	return nil
}

// PrepareAsCaller checks the flags of a command that leaves no file in a data directory: it stays who called it, and so
// can write where only its caller may.
func (g *Globals) PrepareAsCaller(cmd *cobra.Command) error {
	g.sections, g.Creates = Sections(cmd), cmd.Flags().Lookup("create") != nil
	if err := refuseEmpty(cmd, cmd.Flags().Args()); err != nil {
		return err
	}
	return errors.Join(g.check(), g.redirected(cmd))
}

// keepNamed reads the files that flags and configuration name.
func (g *Globals) keepNamed(cmd *cobra.Command) error {
	g.kept = map[string][]byte{}
	for _, path := range (configs.Source{File: g.ConfigFile}).Paths() {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			g.kept[path] = nil // in a folder that the other user may not even enter
		}
		g.keep(path)
	}
	for _, name := range []string{"file", "token-file", "enroll-token-file"} {
		if named := cmd.Flags().Lookup(name); named != nil && named.Changed {
			g.keep(named.Value.String())
		}
	}
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil // the command says so, when it uses what is wrong
	}
	g.keep(cfg.Store.PasswordFile)
	g.keep(cfg.Store.CAFile)
	return nil
}

// maxKept bounds a file that is kept: lists and secrets are small.
const maxKept = 64 << 20

// keep remembers a file's text. Whatever is wrong with the file, its reader says.
func (g *Globals) keep(path string) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Size() > maxKept {
		return
	}
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	if text, err := io.ReadAll(io.LimitReader(file, maxKept)); err == nil {
		g.kept[path] = text
	}
}

// ReadFile is os.ReadFile, also of a file that only root may read and that was kept.
func (g *Globals) ReadFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	kept, ok := g.kept[path]
	switch {
	case !ok || !errors.Is(err, fs.ErrPermission):
		return text, err
	case kept == nil:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return kept, nil
}

// OpenFile is os.Open, of the kept text where there is one.
func (g *Globals) OpenFile(path string) (io.ReadCloser, error) {
	if kept, ok := g.kept[path]; ok {
		return io.NopCloser(bytes.NewReader(kept)), nil
	}
	return os.Open(path)
}
