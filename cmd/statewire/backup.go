package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
)

func backupCommand(g *globals) *cobra.Command {
	var identityOnly bool
	var out string
	cmd := &cobra.Command{
		Use:   "backup --identity-only --out FILE",
		Short: "pack what tells this site from another: its authority, keys, tokens and clients",
		Long: "Writes a tar archive of the authority, the keys of the trust document, the clients with their certificates, the " +
			"tokens, and\n" +
			"the head of the audit log, whether the site runs or not. Unpacked into an empty data directory it is the same site. " +
			"Whoever has\n" +
			"it can speak for the site: keep it as you keep its keys. What is stored of the clients is not in it.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !identityOnly || out == "" {
				return cli.Usage(errors.New("say what and where to: --identity-only --out FILE"))
			}
			if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
				return cli.Usage(fmt.Errorf("%s is there already, and is not overwritten", out))
			}
			return g.withIdentity(cmd, func(ctx context.Context, i identities) error {
				archive, err := i.Backup(ctx)
				if err != nil {
					return err
				}
				if err := writeNew(out, archive); err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"file", out}, {"bytes", len(archive)}})
			})
		},
	}
	cmd.Flags().BoolVar(&identityOnly, "identity-only", false, "the site's identity, and nothing that is stored of clients")
	cmd.Flags().StringVar(&out, "out", "", "the file to write; it must not be there")
	return cmd
}

// writeNew writes a file that must not be there, and has it on the disk when it returns.
func writeNew(path string, data []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}
