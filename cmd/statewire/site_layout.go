package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"statewire/configs"
	"statewire/inbox"
	"statewire/internal/control"
	"statewire/internal/refusals"
)

// openInbox opens the inbox of a data directory as every stage and every command that changes it sees it; it makes its folders.
func openInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	return inboxConfig(cfg).Open(inboxRoot(data), log)
}

// lookInbox is openInbox for a command that only reads: it changes nothing there.
func lookInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	dir, err := inboxConfig(cfg).Look(inboxRoot(data), log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the inbox is not whole, start the site again to mend it: %w", err)
	}
	return dir, err
}

func inboxConfig(cfg configs.Config) inbox.Config {
	c := inbox.DefaultConfig()
	c.PollInterval = cfg.Ingest.InboxPollingInterval
	return c
}

// inboxRoot is where a data directory has its inbox.
func inboxRoot(data string) string { return filepath.Join(data, "inboxes", "auth", "statesys.box") }

// runDir has what belongs to running processes: the locks of roles, sockets, and why the store is not open.
func runDir(data string) string { return filepath.Join(data, "run") }

// roleLock is held by the process that runs a role; that of resync also by a command that writes without one.
func roleLock(data, role string) string { return filepath.Join(runDir(data), role+".lock") }

// refusedFile is where the relay notes the last report that it refused of each client.
func refusedFile(data string) string { return filepath.Join(runDir(data), refusals.FileName) }

// resyncSocket is where the process that runs the resync role answers the site's other processes and commands.
func resyncSocket(data string) string { return filepath.Join(runDir(data), "resync.sock") }

// metricsSocket ends the name of the socket on which a process shows its metrics.
const metricsSocket = "-metrics.sock"

func metricsPath(data, role string) string { return filepath.Join(runDir(data), role+metricsSocket) }

// problemFile has the reason why the store of the running site is not open; there is none when it is.
func problemFile(data string) string { return filepath.Join(runDir(data), "store-problem") }

// socketsFit says whether a site's sockets can be made in a data directory.
func socketsFit(data string) error {
	var err error
	for _, role := range allRoles {
		err = cmp.Or(err, control.Fits(metricsPath(data, role))) // the longest names of sockets
	}
	return err
}
