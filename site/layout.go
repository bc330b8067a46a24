package site

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"statewire/configs"
	"statewire/inbox"
	"statewire/internal/control"
	"statewire/internal/refusals"
	"statewire/notifier/wire"
)

// OpenInbox opens the inbox of a data directory as every stage and every command that changes it sees it; it makes its
// folders.
func OpenInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	return inboxConfig(cfg).Open(InboxRoot(data), log)
}

// LookInbox is OpenInbox for a command that only reads: it changes nothing there.
func LookInbox(data string, cfg configs.Config, log *slog.Logger) (*inbox.Dir, error) {
	dir, err := inboxConfig(cfg).Look(InboxRoot(data), log)
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

// InboxRoot is where a data directory has its inbox.
func InboxRoot(data string) string { return filepath.Join(data, "inboxes", "auth", "statesys.box") }

// runDir has what belongs to running processes: the locks of roles, sockets, and why the store is not open.
func runDir(data string) string { return filepath.Join(data, "run") }

// roleRun is where a role has its lock, its socket and what it says to the others: run/, or a folder of its own below,
// where the site runs it as another user.
func roleRun(data, role string) string {
	if own := filepath.Join(runDir(data), role); slices.Contains(SplitRoles, role) && isFolder(own) {
		return own
	}
	return runDir(data)
}

// RoleLock is held by the process that runs a role; that of resync also by a command that writes without one.
func RoleLock(data, role string) string { return filepath.Join(roleRun(data, role), role+".lock") }

// RefusedFile is where the relay notes the last report that it refused of each client.
func RefusedFile(data string) string { return filepath.Join(roleRun(data, "relay"), refusals.FileName) }

// InPresenceBox says whether a file of the box is one that the notification manager loads: of presence, or of results.
func InPresenceBox(name string) bool {
	ext := filepath.Ext(name)
	return strings.EqualFold(ext, wire.Extension) || strings.EqualFold(ext, wire.ResultsExtension)
}

// PresenceBox is where notifiers put their presence files, for the notification manager.
func PresenceBox(data string) string { return filepath.Join(data, presenceBox) }

// NotifierDir has what the notification manager knows: the truth about who is online.
func NotifierDir(data string) string { return filepath.Join(data, notifierDir) }

// NotifierSpool has what a notifier itself must not forget.
func NotifierSpool(data string) string { return filepath.Join(data, spoolDir) }

// ManagerSocket is where the process with the notification manager, which is that of ingest, answers the others.
func ManagerSocket(data string) string { return filepath.Join(runDir(data), "manager.sock") }

// NotifierSocket is where a notifier takes the channel's requests from a relay in another process. Where both run as
// users of their own, it lies in a folder that the relay's may enter.
func NotifierSocket(data string) string {
	dir := roleRun(data, "notifier")
	if own := filepath.Join(data, channelDir); isFolder(own) {
		dir = own
	}
	return filepath.Join(dir, "notifier.sock")
}

// NotifierPort says at which port the notifier listens.
func NotifierPort(data string) string {
	return filepath.Join(roleRun(data, "notifier"), "notifier.port")
}

// ToldPort has the port of the notifier that clients were told last.
func ToldPort(data string) string { return filepath.Join(runDir(data), "notifier.told") }

// ResyncSocket is where the process that runs the resync role answers the site's other processes and commands.
func ResyncSocket(data string) string { return filepath.Join(runDir(data), "resync.sock") }

// IdentityDir is where a data directory has its certificates, and keys.
func IdentityDir(data string) string { return filepath.Join(data, "identity") }

// TrustDir is where the keys are that sign what agents trust.
func TrustDir(data string) string { return filepath.Join(IdentityDir(data), "trust") }

// AuditDir is where the audit log is.
func AuditDir(data string) string { return filepath.Join(data, "audit") }

// IdentitySocket is where the process that runs the identity role answers the site's other processes and commands.
func IdentitySocket(data string) string { return filepath.Join(runDir(data), "identity.sock") }

// FirstSteps is where the first start leaves the line that enrols a first client, when nobody watches.
func FirstSteps(data string) string { return filepath.Join(runDir(data), "first-steps") }

// metricsSocket ends the name of the socket on which a process shows its metrics.
const metricsSocket = "-metrics.sock"

func metricsPath(data, role string) string {
	return filepath.Join(roleRun(data, role), role+metricsSocket)
}

// ProblemFile has the reason why the store of the running site is not open; there is none when it is.
func ProblemFile(data string) string { return filepath.Join(runDir(data), "store-problem") }

// SocketsFit says whether a site's sockets can be made in a data directory.
func SocketsFit(data string) error {
	var err error
	for _, role := range AllRoles {
		err = cmp.Or(err, control.Fits(metricsPath(data, role))) // the longest names of sockets
	}
	return cmp.Or(err, control.Fits(NotifierSocket(data)))
}
