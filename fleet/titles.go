package fleet

import (
	"fmt"
	"time"

	"statewire/smx"
)

// Titles of updates; %s is the month, as in 2026-11.
const (
	titleWindows10   = "%s Cumulative Update for Windows 10 Version 22H2"
	titleWindows11   = "%s Cumulative Update for Windows 11 Version 24H2"
	titleServer2019  = "%s Cumulative Update for Windows Server 2019"
	titleServer2022  = "%s Cumulative Update for Windows Server 2022"
	titleDotNet      = "%s Cumulative Update for .NET Framework 4.8"
	titleOffice      = "%s Update for Office, Monthly Enterprise Channel"
	titleRemovalTool = "%s Malicious Software Removal Tool"
	titleBrowser     = "%s Browser Update, Stable Channel"
	titleDatabase    = "%s Security Update for SQL Server 2019"
	titleFirmware    = "%s Firmware Update"
)

var baselineTitles = []string{"Disk encryption is on", "Firewall is on for every profile",
	"Password policy of the company", "Old TLS versions are off"}

// Collections of a fleet's clients, by who gets updates when.
const (
	ringPilot        = "pilot"
	ringWorkstations = "workstations"
	ringServers      = "servers"
)

// Name is what an administrator would call something that the fleet reports on. Empty fields are unknown.
type Name struct {
	TopicID, Title, Kind, Article, Severity, Group, Target string
	Released                                               time.Time
}

// Names are the names of the fleet's updates, deployments and baselines, as of a time on the patch day. Of the rest the
// clients name one themselves, and nobody the others.
func (f *Fleet) Names(at time.Time) []Name {
	today := at.UTC().Truncate(24 * time.Hour)
	var all []Name
	for i := range f.catalog.updates {
		all = append(all, f.catalog.updates[i].name(i, released(today, f.catalog.updates[i].ago)))
	}
	all = append(all, Name{TopicID: f.catalog.definitions.detection.id, Kind: "update",
		Title: "Security intelligence of the malware protection"})
	for i := range f.catalog.deployments {
		all = append(all, f.catalog.deployments[i].name(released(today, f.catalog.deployments[i].ago)))
	}
	for i, b := range f.catalog.baselines {
		all = append(all, Name{TopicID: b.id, Kind: "baseline", Title: baselineTitles[i%len(baselineTitles)]})
	}
	return append(all, Name{TopicID: f.catalog.scan.id, Kind: "scan", Title: "Scan for software updates"})
}

// released is when a month's updates came out: on its patch day, but within the month that their titles name, so that
// no two months have the same.
func released(today time.Time, ago int) time.Time {
	patchDay := today.Add(-time.Duration(ago) * patchMonth)
	if end := today.AddDate(0, 0, 1-today.Day()).AddDate(0, 1-ago, -1); end.Before(patchDay) {
		return end
	}
	return patchDay
}

func (u *update) name(number int, month time.Time) Name {
	n := Name{TopicID: u.detection.id, Kind: "update", Severity: u.severity, Released: month,
		Article: fmt.Sprintf("KB5%02d%02d%02d", month.Year()%100, month.Month(), number), Title: fmt.Sprintf(u.title,
			month.Format("2006-01"))}
	if u.severity != "" {
		n.Group = month.Format("2006-01") + " security"
	}
	return n
}

// name targets this month's deployments; those before are counted by who reports on them.
func (d *deployment) name(month time.Time) Name {
	ring := ringWorkstations
	switch {
	case d.pilot:
		ring = ringPilot
	case d.on == servers:
		ring = ringServers
	}
	n := Name{TopicID: d.compliance.id, Kind: "deployment", Title: month.Format("January 2006") + " updates: " + ring,
		Group: month.Format("2006-01") + " deployments"}
	if d.ago == 0 {
		n.Target = ring
	}
	return n
}

// Collections are the fleet's clients by who gets updates when: each is in one.
func (f *Fleet) Collections() map[string][]smx.ClientID {
	all := map[string][]smx.ClientID{}
	for _, c := range f.clients {
		ring := ringWorkstations
		switch {
		case c.planner.pilot:
			ring = ringPilot
		case c.machine.kind == server:
			ring = ringServers
		}
		all[ring] = append(all[ring], c.machine.id.Client)
	}
	return all
}
