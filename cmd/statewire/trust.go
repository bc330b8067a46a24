package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/site"
	"statewire/trust"
)

func trustCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "the keys that clients believe: look, take them off the server, sign what they say",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(trustShowCommand(g), trustOfflineCommand(g), trustInitCommand(g), trustNextCommand(g),
		trustSignCommand(g), trustLoadCommand(g))
	return cmd
}

// trustDir is the folder of the site's trust keys.
func (g *globals) trustDir() string { return filepath.Join(g.Data, "identity", "trust") }

// needTrust refuses a data directory that has no trust keys yet.
func (g *globals) needTrust() error {
	there, err := isThere(trust.DocumentFile(g.trustDir()))
	if there || err != nil {
		return err
	}
	return fmt.Errorf("the site on %s has no trust keys yet; name its data directory with --data, or start it with "+
		"`statewire serve`, which makes them", g.Data)
}

// trusts changes the site's trust document and keys: in the running site, or in the command itself.
type trusts interface {
	TrustNext(context.Context, identity.TrustChange) (json.RawMessage, error)
	TrustLoad(ctx context.Context, envelope json.RawMessage) error
	TrustForget(ctx context.Context, names []string) error
}

// withTrust hands f the running site's keys, or has the identity role for the length of f.
func (g *globals) withTrust(cmd *cobra.Command, f func(context.Context, trusts) error) error {
	if err := g.needTrust(); err != nil {
		return err
	}
	return g.onIdentity(cmd,
		func(ctx context.Context, socket string) error { return f(ctx, identity.Dial(socket)) },
		func(ctx context.Context, own *site.Identity) error { return f(ctx, own.Trust) })
}

// asCaller is for commands that work in a folder of their caller's.
func (g *globals) asCaller(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return g.PrepareAsCaller(cmd) }
	return cmd
}

func trustOfflineCommand(g *globals) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "offline --out FOLDER",
		Short: "move root and pack keys from the server to a folder that you take away",
		Long: "Moves the root and pack keys to FOLDER, which is made when it is missing. A key leaves the server when its " +
			"copy is on disk;\n" +
			"nothing in FOLDER is replaced. The site runs on with its task key; before that ends, sign the next document: see\n" +
			"`statewire trust next`.",
		Example: "  statewire trust offline --data /var/lib/statewire --out /media/stick/statewire-keys",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return cli.Usage(errors.New("name the folder that the keys go to with --out"))
			}
			if err := g.needTrust(); err != nil {
				return err
			}
			if inside(out, g.Data) {
				return cli.Usage(fmt.Errorf("%s is in the data directory; name a folder that can be taken away", out))
			}
			moved, err := trust.CopyOffline(g.trustDir(), out)
			if err != nil {
				return fmt.Errorf("take the keys off the server: %w", err)
			}
			if err := g.Prepare(cmd, nil); err != nil { // the folder may be the caller's alone, the site is its owner's
				return err
			}
			err = g.withTrust(cmd, func(ctx context.Context, t trusts) error { return t.TrustForget(ctx, moved) })
			if err != nil {
				return fmt.Errorf("the keys are in %s, but not removed from the server: %w", out, err)
			}
			standing, err := trust.Look(g.trustDir())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s moved to %s: %s\nsign the next document before %s: `statewire trust "+
				"next` begins it; a backup of the site that was made before still holds the keys\n",
				cli.FmtCount(len(moved), "key"), out, strings.Join(moved, ", "), standing.Ends().Format(time.DateOnly))
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the folder")
	return g.asCaller(cmd)
}

// inside says whether a path is in a folder, or is it, whatever links lead there.
func inside(path, folder string) bool {
	rel, err := filepath.Rel(resolved(folder), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved is a path without links, as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}

func trustInitCommand(g *globals) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "init --out FOLDER",
		Short: "make a root and a pack key in a folder of yours, away from any site",
		Long: "Makes a root key, a pack key and trust.json in FOLDER, which must be empty. trust.json holds the public " +
			"halves: it is what\n" +
			"goes to the site, where `statewire trust next --from trust.json` makes this root the site's.",
		Example: "  statewire trust init --out /media/stick/statewire-keys",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return cli.Usage(errors.New("name the folder for the keys with --out"))
			}
			d, err := trust.Init(out, time.Now())
			if err != nil {
				return fmt.Errorf("make keys: %w", err)
			}
			for _, id := range d.RootIDs() {
				fmt.Fprintln(cmd.OutOrStdout(), "root", id)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the folder")
	return g.asCaller(cmd)
}

func trustNextCommand(g *globals) *cobra.Command {
	var change identity.TrustChange
	var from, packs []string
	cmd := &cobra.Command{
		Use:   "next [--from FILE]… [--threshold N] [--pack FILE]… [--drop ID]…",
		Short: "write the site's next trust document, to be signed where the root keys are",
		Long: "Writes the next version of the trust document to standard output: another year, and a new task key whose " +
			"private half\n" +
			"stays here. Root keys on the server sign at once; the others with `statewire trust sign`. Nothing changes until\n" +
			"`statewire trust load` takes it back. --from gives the site other roots, those of the trust.json that `statewire\n" +
			"trust init` made: the old roots and the new ones sign such a document.",
		Example: "  statewire trust next > next.json                          # on the server\n" +
			"  statewire trust sign next.json --keys /media/stick/keys   # where the root key is\n" +
			"  statewire trust load next.json                            # on the server",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var text json.RawMessage
			err := g.withTrust(cmd, func(ctx context.Context, t trusts) (err error) {
				text, err = t.TrustNext(ctx, change)
				return err
			})
			if err != nil {
				return fmt.Errorf("make the next trust document: %w", err)
			}
			d, err := trust.Parse(text)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text); err != nil {
				return err
			}
			return g.describe(cmd.ErrOrStderr(), d)
		},
	}
	cmd.Flags().StringArrayVar(&from, "from", nil,
		"trust.json of a new root (repeatable); the site's roots are these then")
	cmd.Flags().IntVar(&change.Threshold, "threshold", 0, "how many roots must sign from then on (default as before)")
	cmd.Flags().StringArrayVar(&packs, "pack", nil, "trust.json whose pack keys are added (repeatable)")
	cmd.Flags().StringArrayVar(&change.Drop, "drop", nil, "leave out the key whose id begins so (repeatable)")
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return errors.Join(readAll(from, &change.Roots), readAll(packs, &change.Packs), g.Prepare(cmd, nil))
	}
	return cmd
}

// readAll reads documents before the process becomes another user.
func readAll(paths []string, into *[]json.RawMessage) error {
	for _, path := range paths {
		d, err := readTrust(path)
		if err != nil {
			return err
		}
		*into = append(*into, d.Envelope())
	}
	return nil
}

// readTrust reads a document from a file, signed or not.
func readTrust(path string) (*trust.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, trust.MaxDocumentBytes+1))
	if err != nil {
		return nil, err
	}
	d, err := trust.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func trustSignCommand(g *globals) *cobra.Command {
	var keys string
	var otherRoots bool
	cmd := &cobra.Command{
		Use:   "sign FILE --keys FOLDER",
		Short: "sign a trust document with the root keys of a folder; needs no site",
		Long: "Adds the signatures of the root keys in FOLDER to the document and prints what it says. The last document " +
			"that was signed\n" +
			"stays in FOLDER as trust.json: an older one, another one of the same version, and one with other roots are " +
			"refused, the\n" +
			"last unless --other-roots says that it is meant. Who holds the roots decides what every client believes.",
		Example: "  statewire trust sign next.json --keys /media/stick/statewire-keys",
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if keys == "" {
				return cli.Usage(errors.New("name the folder of the root keys with --keys"))
			}
			d, err := readTrust(args[0])
			if err != nil {
				return err
			}
			if err := d.SignWith(keys, otherRoots); err != nil {
				return fmt.Errorf("sign %s: %w", args[0], err)
			}
			if err := os.WriteFile(args[0], append(d.Envelope(), '\n'), 0o644); err != nil {
				return err
			}
			return g.describe(cmd.OutOrStdout(), d)
		},
	}
	cmd.Flags().StringVar(&keys, "keys", "", "the `FOLDER` that statewire trust offline or trust init filled")
	cmd.Flags().BoolVar(&otherRoots, "other-roots", false, "other roots, or another number of them, are meant")
	return g.asCaller(cmd)
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.Usage(fmt.Errorf("%s needs one file; see `%s --help`", cmd.Name(), cmd.CommandPath()))
	}
	return nil
}

func trustLoadCommand(g *globals) *cobra.Command {
	var d *trust.Document
	cmd := &cobra.Command{
		Use:   "load FILE",
		Short: "make a signed trust document the site's",
		Long: "Takes a document that `statewire trust next` wrote and enough roots signed. Clients have it at their " +
			"next poll.",
		Example: "  statewire trust load next.json",
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := g.needTrust(); err != nil {
				return err
			}
			before, err := readTrust(trust.DocumentFile(g.trustDir()))
			if err != nil {
				return err
			}
			err = g.withTrust(cmd, func(ctx context.Context, t trusts) error { return t.TrustLoad(ctx, d.Envelope()) })
			if err != nil {
				return fmt.Errorf("load the trust document: %w", err)
			}
			if !slices.Equal(before.RootIDs(), d.RootIDs()) {
				fmt.Fprintln(cmd.ErrOrStderr(), "the roots changed: enrolment tokens that were not used yet are void")
			}
			return g.describe(cmd.OutOrStdout(), d)
		},
	}
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) (err error) {
		if d, err = readTrust(args[0]); err != nil {
			return err
		}
		return g.Prepare(cmd, nil)
	}
	return cmd
}

func trustShowCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show [FILE]",
		Short: "what a trust document says: the site's, or that of a file",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneFile(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if err := g.needTrust(); err != nil {
					return err
				}
				args = []string{trust.DocumentFile(g.trustDir())}
			}
			d, err := readTrust(args[0])
			if err != nil {
				return err
			}
			return g.describe(cmd.OutOrStdout(), d)
		},
	}
}

var trustColumns = []string{"version", "expires", "threshold", "key", "id", "ends", "for", "on_server", "signed"}

// describe says what a document says: in words, or as one row per key.
func (g *globals) describe(w io.Writer, d *trust.Document) error {
	if g.Format == "table" {
		return g.describeInWords(w, d)
	}
	var rows [][]any
	for _, line := range d.Lines() {
		rows = append(rows, []any{d.Version, cli.Moment(d.Expires), d.Threshold, line.Kind, line.ID,
			cli.Moment(line.NotAfter),
			line.For, g.onServer(line), line.Signed})
	}
	return cli.WriteRecords(w, g.Format, trustColumns, rows)
}

func (g *globals) onServer(line trust.Line) bool {
	_, err := os.Lstat(filepath.Join(g.trustDir(), line.File))
	return err == nil
}

func (g *globals) describeInWords(w io.Writer, d *trust.Document) error {
	text := fmt.Sprintf("version %d of the trust document, good until %s; %d of its %s must sign\n", d.Version,
		d.Expires.Format(time.DateOnly), d.Threshold, cli.FmtCount(len(d.Roots), "root"))
	for _, line := range d.Lines() {
		text += line.Kind + " key " + line.ID
		switch {
		case line.Kind == "root" && line.Signed:
			text += ", signed this"
		case line.Kind == "root":
			text += ", did NOT sign this"
		default:
			text += ", until " + line.NotAfter.Format(time.DateOnly)
		}
		switch {
		case line.Kind == "pack" && line.For == "":
			text += ", for every pack"
		case line.For != "":
			text += fmt.Sprintf(", for %q", line.For)
		}
		if g.onServer(line) {
			text += ", on the server"
		}
		text += "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
