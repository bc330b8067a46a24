package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/internal/tabular"
	"statewire/notifier/manager"
	"statewire/site"
)

// oldMirror is the age from which somebody should look why the tables lack what is known of who is online.
const oldMirror = time.Minute

// startNotifier is what to do where no process has the role.
const startNotifier = "nobody is told at once what is new; see that a process runs the role notifier"

// presenceChecks say who is online, and how old that is. A site of which nobody can be asked has no such lines.
func (g *globals) presenceChecks(ctx context.Context, cfg configs.Config, now time.Time) []check {
	p, running, err := site.AskPresence(ctx, g.Data)
	switch {
	case !running:
		return nil
	case err != nil:
		return []check{{"channel", cli.HealthUnknown, err.Error()}}
	}
	_, err = os.Lstat(site.NotifierPort(g.Data))
	return []check{channelCheck(p, site.Holder(g.Data, "notifier") != 0, err == nil, cfg.Notifier.PresenceInterval, now),
		mirrorCheck(p.Lag), tasksCheck(p)}
}

// tasksCheck says whether tasks are sent, and what waits for a person.
func tasksCheck(p site.Presence) check {
	c := check{"tasks", cli.HealthOK, "no task is open"}
	if n := len(p.Tasks); n > 0 {
		c.detail = cli.FmtCount(n, "open task")
	}
	var second []string
	for _, t := range p.Tasks {
		if t.State == manager.TaskWaits {
			second = append(second, fmt.Sprint(t.ID))
		}
	}
	if n := len(second); n > 0 {
		c.health = cli.HealthWarning
		c.detail += fmt.Sprintf("; a second person has to agree to %s: `statewire tasks approve %s`",
			strings.Join(second[:min(n, 5)], ", "), second[0])
	}
	if p.Stop.Stopped {
		c.health = cli.HealthWarning
		c.detail = fmt.Sprintf("stopped by %s at %s%s: nothing is sent before `statewire notify resume`; %s",
			tabular.TerminalSafe(p.Stop.Actor), cli.Stamp(p.Stop.At), because(p.Stop.Reason), c.detail)
	}
	return c
}

// because is a reason that somebody gave, in brackets.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + tabular.TerminalSafe(tabular.Shorten(reason, 120)) + ")"
}

// channelCheck says of each notifier how many clients it holds, and when its last file came. ran says whether one has
// ever listened: where it is gone, that is told at once.
func channelCheck(p site.Presence, running, ran bool, interval time.Duration, now time.Time) check {
	c := check{name: "channel", health: cli.HealthOK}
	if len(p.Servers) == 0 {
		c.detail = "no notifier has reported yet"
		switch {
		case !running && ran:
			c.health, c.detail = cli.HealthWarning, "no notifier runs, and one did: "+startNotifier
		case !running:
			c.detail = "no notifier runs: clients learn at their next poll what is new"
		}
		return c
	}
	var all []string
	for _, s := range p.Servers {
		text := fmt.Sprintf("%s holds %s, %d by TCP and %d by HTTP", s.Server, cli.FmtCount(s.Online, "client"), s.TCP,
			s.HTTP)
		age := now.Sub(s.Reported).Round(time.Second)
		switch {
		case !running && !s.Silent:
			c.health = cli.HealthWarning
			text = fmt.Sprintf("%s does not run: %s", s.Server, startNotifier)
		case s.Reported.IsZero():
			text += ", no presence file of it has come yet"
		case s.Silent:
			c.health = cli.HealthWarning
			do := "see that a process runs the role notifier"
			if running {
				do = "its log says why it writes no presence files, such as a full disk"
			}
			text = fmt.Sprintf("%s is silent for %v, its clients count as offline; %s", s.Server, age, do)
		case age > 2*interval:
			c.health = cli.HealthWarning
			text += fmt.Sprintf(", its last file %v ago, which is late", age)
		default:
			text += fmt.Sprintf(", its last file %v ago", age)
		}
		all = append(all, text)
	}
	c.detail = strings.Join(all, "; ")
	return c
}

// mirrorCheck says how far the tables are behind what is known.
func mirrorCheck(lag time.Duration) check {
	if lag > oldMirror {
		return check{"presence", cli.HealthWarning, fmt.Sprintf("the tables lack for %v who is online; the log of the "+
			"process with the ingest role says why", lag.Round(time.Second))}
	}
	return check{"presence", cli.HealthOK, "the tables say who is online"}
}

// presenceBoxChecks say what lies in the folder of presence and result files that nobody loads; nothing where there is
// nothing.
func (g *globals) presenceBoxChecks() []check {
	box := site.PresenceBox(g.Data)
	bad := filepath.Join(box, "bad")
	aside, foreign := 0, []string{}
	err := filepath.WalkDir(box, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		switch within := strings.HasPrefix(path, bad+string(filepath.Separator)); {
		case path == box, path == bad, strings.HasPrefix(name, "."):
		case within && !entry.IsDir() && !strings.HasSuffix(name, ".reason.json"):
			aside++
		case !within && !site.InPresenceBox(name):
			if foreign = append(foreign, name); entry.IsDir() {
				return fs.SkipDir
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []check{{"presence_files", cli.HealthUnknown, err.Error()}}
	}
	var all []string
	if aside > 0 {
		all = append(all, fmt.Sprintf(
			"%s set aside in %s, each with its reason beside it; delete both once it is known where "+
				"they came from", cli.FmtCount(aside, "file"), bad))
	}
	if n := len(foreign); n > 0 {
		all = append(all, fmt.Sprintf("%s in %s: no files of a notifier, and left alone; move them away: %s",
			cli.FmtCount(n, "foreign file"), box, quoted(foreign[:min(3, n)])))
	}
	if len(all) == 0 {
		return nil
	}
	return []check{{"presence_files", cli.HealthWarning, strings.Join(all, "; ")}}
}
