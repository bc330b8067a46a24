package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/collections"
	"statewire/configs"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/policies"
	"statewire/reports/names"
	"statewire/resync"
	"statewire/resync/gaps"
	"statewire/site"
	"statewire/smx"
	"statewire/store"
)

// resyncRole is what the resync role serves: the running site's, or the command's own.
type resyncRole struct {
	resyncs
	collections collectionStore
	policies    policyStore
	names       nameStore
}

type resyncs interface {
	Check(context.Context, resync.CheckOptions) (resync.Result, error)
	Request(context.Context, resync.Target, resync.RequestOptions) (resync.RequestResult, error)
	Accept(context.Context, resync.Target, resync.AcceptOptions) (resync.AcceptResult, error)
	List(context.Context, resync.ListOptions) ([]resync.Status, error)
	Erase(ctx context.Context, client uuid.UUID, reason string) (resync.EraseResult, error)
}

type collectionStore interface {
	Create(context.Context, collections.Spec) (collections.Collection, error)
	List(context.Context) ([]collections.Collection, error)
	Show(context.Context, string) (collections.Collection, []smx.ClientID, error)
	Delete(context.Context, string) error
	Retire(context.Context, []smx.ClientID, collections.RetireOptions) (collections.RetireResult, error)
	Unretire(context.Context, []smx.ClientID, collections.RetireOptions) (collections.RetireResult, error)
}

type nameStore interface {
	Load(context.Context, names.List, names.Options) (names.Result, error)
	Delete(ctx context.Context, id string) (int, error)
	SetTarget(ctx context.Context, kind, id, collection string) error
	ClearTarget(ctx context.Context, kind, id string) error
}

type policyStore interface {
	Set(context.Context, string, policies.Settings) (policies.Policy, error)
	List(context.Context) ([]policies.Policy, error)
}

// withResync hands f the running site's service, or opens the store for the length of f. A command that writes takes
// the role's lock meanwhile, so that no site starts the role under it.
func (g *globals) withResync(cmd *cobra.Command, writes bool, f func(resyncRole) error) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if err := g.needSite(cfg); err != nil {
		return err
	}
	running, unlock, err := g.claimResync(cmd.Context(), writes)
	if err != nil {
		return err
	}
	if running != nil {
		return asResyncUsage(f(*running))
	}
	access := store.Read
	if writes {
		access = g.writing()
	}
	return asResyncUsage(errors.Join(g.ownResync(cmd, cfg, access, f), unlock()))
}

// claimResync returns a client of the process that runs the role, or takes the role's lock. Another command that has it
// is waited for.
func (g *globals) claimResync(ctx context.Context, writes bool) (*resyncRole, func() error, error) {
	deadline := time.Now().Add(busyWait)
	for {
		holder := site.Holder(g.Data, "resync")
		switch {
		case holder != 0 && site.Listens(site.ResyncSocket(g.Data)):
			path := site.ResyncSocket(g.Data)
			return &resyncRole{resync.Dial(path), collections.Dial(path), policies.Dial(path),
				names.Dial(path)}, nil, nil
		case holder == 0 && !writes:
			return nil, func() error { return nil }, nil
		case holder == 0:
			if unlock, err := (site.Roles{"resync"}).Lock(g.Data); err == nil {
				return nil, unlock, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, nil, fmt.Errorf(
				"process %d has the resync role on %s and does not answer; try again when it has started or is done, or stop it", holder, g.Data)
		}
		if err := backoff.Sleep(ctx, siteLook); err != nil {
			return nil, nil, err
		}
	}
}

// ownResync opens the store and the inbox, and makes a service over them.
func (g *globals) ownResync(cmd *cobra.Command, cfg configs.Config, access store.Access,
	f func(resyncRole) error) (err error) {
	unread, done, err := g.unreadFor(cfg, access)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	db, err := g.openStore(cmd.Context(), cfg, access, g.Quiet())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	own, err := site.NewResyncRole(cfg.Resync, resync.Deps{Store: db, Unread: unread, Log: g.Quiet()}, g.auditor(), nil)
	if err != nil {
		return err
	}
	return f(resyncRole{own.Resync, own.Collections, own.Policies, own.Names})
}

// unreadFor is site.Unread for a command. One that reads makes no inbox where there is none, as beside a store
// elsewhere.
func (g *globals) unreadFor(cfg configs.Config, access store.Access) (unread func(context.Context) (gaps.Unread, error),
	done func() error, err error) {
	open := site.OpenInbox
	if access == store.Read {
		open = site.LookInbox
		if err := g.needInbox(); err != nil {
			return func(context.Context) (gaps.Unread, error) { return gaps.Unread{}, err }, func() error { return nil }, nil
		}
	}
	dir, err := open(g.Data, cfg, g.Quiet())
	if err != nil {
		return nil, nil, err
	}
	return site.Unread(dir), dir.Close, nil
}

// asResyncUsage marks what a person wrote wrongly.
func asResyncUsage(err error) error {
	var wrong *control.InvalidError
	if errors.As(err, &wrong) || errors.Is(err, collections.ErrNotFound) || errors.As(err, new(*names.LineError)) {
		return cli.Usage(err)
	}
	return err
}

// caller is who runs this program, as the system knows them; with sudo, who asked for it.
func caller() string {
	name := fmt.Sprint("uid ", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if asked := os.Getenv("SUDO_USER"); asked != "" && asked != name {
		name += " (sudo: " + asked + ")"
	}
	return name
}
