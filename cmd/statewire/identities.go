package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/resync"
	"statewire/site"
)

// identities is what the identity role does for commands: the running site's, or the command's own.
type identities interface {
	CreateToken(context.Context, identity.TokenSpec) (identity.MadeToken, error)
	Tokens(context.Context) ([]identity.Token, error)
	RevokeToken(ctx context.Context, id string) error
	PendingList(context.Context) ([]identity.Pending, error)
	Decide(ctx context.Context, id string, approve bool) error
	Pause(ctx context.Context, pause bool) error
	Clients(context.Context) ([]identity.Client, error)
	Client(ctx context.Context, key string) (identity.Client, error)
	Revoke(ctx context.Context, key, reason string) error
	StageCA(context.Context) (identity.Staged, error)
	Staged(context.Context) (*identity.Staged, error)
	SwitchCA(context.Context) (identity.Staged, error)
	Summary(context.Context) (identity.Summary, error)
	Backup(context.Context) ([]byte, error)
}

// withIdentity hands f the running site's identity role, or has the role for the length of f.
func (g *globals) withIdentity(cmd *cobra.Command, f func(context.Context, identities) error) error {
	return g.onIdentity(cmd,
		func(ctx context.Context, socket string) error { return f(ctx, identity.Dial(socket)) },
		func(ctx context.Context, own *site.Identity) error { return f(ctx, own) })
}

// onIdentity calls running with the socket of the site's identity role, or own with the role for as long as it takes.
func (g *globals) onIdentity(cmd *cobra.Command, running func(ctx context.Context, socket string) error,
	own func(context.Context, *site.Identity) error) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if _, err := os.Stat(g.Data); err != nil {
		return fmt.Errorf("no data directory at %s; name the site's with --data, or start one with `statewire serve`", g.Data)
	}
	for deadline := time.Now().Add(busyWait); ; {
		holder := site.Holder(g.Data, "identity")
		if holder != 0 && site.Listens(site.IdentitySocket(g.Data)) {
			return asIdentityUsage(running(cmd.Context(), site.IdentitySocket(g.Data)))
		}
		if holder == 0 {
			if unlock, err := (site.Roles{"identity"}).Lock(g.Data); err == nil {
				return asIdentityUsage(errors.Join(g.ownIdentity(cmd.Context(), cfg, own), unlock()))
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d has the identity role on %s and does not answer; try again when it has started, or "+
				"stop it", holder, g.Data)
		}
		if err := backoff.Sleep(cmd.Context(), siteLook); err != nil {
			return err
		}
	}
}

// ownIdentity opens the identity role for the length of f. No site runs the role, and so nobody enrols meanwhile.
func (g *globals) ownIdentity(ctx context.Context, cfg configs.Config,
	f func(context.Context, *site.Identity) error) (err error) {
	own, err := site.OpenIdentity(g.Data, cfg, nobodysClients{}, site.NoLists, g.Quiet(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	return f(ctx, own)
}

// nobodysClients is for commands that enrol nobody.
type nobodysClients struct{}

func (nobodysClients) NextSerial(context.Context, uuid.UUID, uint64) (uint64, bool, error) {
	return 0, false, &resync.BusyError{Reason: "the site does not run"}
}

func (nobodysClients) Polled(context.Context, time.Time) ([]uuid.UUID, error) {
	return nil, errors.New("the site does not run")
}

// asIdentityUsage marks what a person wrote wrongly.
func asIdentityUsage(err error) error {
	var wrong *control.InvalidError
	if errors.As(err, &wrong) || errors.Is(err, control.ErrNotFound) {
		return cli.Usage(err)
	}
	return err
}
