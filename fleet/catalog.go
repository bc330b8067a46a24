package fleet

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"strings"

	"statewire/internal/topics"
)

// topicUnknown is a topic type that no catalogue knows.
const topicUnknown = 4711

// Priorities of the reports that carry them.
const (
	urgentPriority = 0 // script results
	usualPriority  = 5
	latePriority   = 8 // compliance settings
)

// topicRef is a topic that many clients share. An empty id stands for the client's own.
type topicRef struct {
	kind     uint32
	id       string
	idType   uint16
	priority int8
	instant  bool
	title    string // as the clients tell it; empty: they tell none
}

// platform is a set of operating systems.
type platform uint8

const (
	windows10 platform = 1 << iota
	windows11
	server2019
	server2022
	workstations = windows10 | windows11
	servers      = server2019 | server2022
	everywhere   = workstations | servers
)

// update is one software update: what it is detected and enforced as.
type update struct {
	detection, enforcement *topicRef
	revision               []string
	on                     platform
	restarts               bool
	ago                    int // months; 0: this month's
	title, severity        string
}

// deployment is one assignment of a month's updates.
type deployment struct {
	compliance, enforcement, evaluation *topicRef
	on                                  platform
	pilot                               bool // the ring that goes first
	ago                                 int  // months; 0: this month's
}

// catalog is what a fleet has in common. It is constant after newCatalog.
type catalog struct {
	scan        *topicRef
	updates     []update
	deployments []deployment // pilot, workstations, servers; then those of earlier months for both kinds
	definitions update
	baselines   []*topicRef
	rules       []*topicRef
	script      *topicRef
	unknown     *topicRef
	contact     *topicRef
	certificate *topicRef
	install     *topicRef
	manage      *topicRef
	protect     *topicRef
	policy      *topicRef
}

func newCatalog(seed uint64) *catalog {
	r := rand.New(rand.NewPCG(seed, 0xca7a109))
	own := func(kind uint32) *topicRef { return &topicRef{kind: kind, priority: usualPriority} }
	c := &catalog{
		scan: &topicRef{kind: topics.UpdateScan, id: "{" + strings.ToUpper(newGUID(r)) + "}",
			priority: usualPriority},
		script: &topicRef{kind: topics.ScriptResult, id: newGUID(r), priority: urgentPriority, instant: true,
			title: "Script: free space on drive C"},
		unknown:     &topicRef{kind: topicUnknown, id: newGUID(r), priority: usualPriority},
		contact:     own(topics.RelayContact),
		certificate: own(topics.LocalCertificate),
		install:     own(topics.ClientInstall),
		manage:      own(topics.CoManagement),
		protect:     own(topics.Protection),
		policy:      own(topics.ProtectionPolicy),
		definitions: newUpdate(r, everywhere, false),
	}
	c.addUpdates(r)
	c.addDeployments(r, deployment{on: everywhere, pilot: true}, deployment{on: workstations}, deployment{on: servers},
		deployment{on: workstations, ago: 1}, deployment{on: servers, ago: 1})
	scope := "ScopeId_" + strings.ToUpper(newGUID(r))
	for range 4 {
		id := scope + "/Baseline_" + newGUID(r)
		c.baselines = append(c.baselines, &topicRef{kind: topics.RuleCompliance, id: id, idType: 1, priority: latePriority})
		c.rules = append(c.rules, &topicRef{kind: topics.RuleDetection, id: id, idType: 1, priority: latePriority})
	}
	for ago := 2; ago <= monthsBefore; ago++ {
		c.addCumulative(r, ago)
		c.addDeployments(r, deployment{on: workstations, ago: ago}, deployment{on: servers, ago: ago})
	}
	return c
}

// addUpdates makes the updates of this month and of the last.
func (c *catalog) addUpdates(r *rand.Rand) {
	c.addCumulative(r, 0)
	c.addUpdate(r, everywhere, true, 0, titleDotNet, "important")
	c.addUpdate(r, workstations, false, 0, titleOffice, "important")
	c.addUpdate(r, everywhere, false, 0, titleRemovalTool, "")
	c.addUpdate(r, workstations, false, 0, titleBrowser, "important")
	c.addUpdate(r, servers, false, 0, titleDatabase, "important")
	c.addUpdate(r, windows11, true, 0, titleFirmware, "moderate")
	c.addCumulative(r, 1)
	c.addUpdate(r, workstations, false, 1, titleOffice, "important")
	c.addUpdate(r, everywhere, false, 1, titleRemovalTool, "")
	c.addUpdate(r, everywhere, true, 1, titleDotNet, "important")
}

// addCumulative makes the updates of which every machine needs one each month.
func (c *catalog) addCumulative(r *rand.Rand, ago int) {
	c.addUpdate(r, windows10, true, ago, titleWindows10, "critical")
	c.addUpdate(r, windows11, true, ago, titleWindows11, "critical")
	c.addUpdate(r, server2019, true, ago, titleServer2019, "critical")
	c.addUpdate(r, server2022, true, ago, titleServer2022, "critical")
}

func (c *catalog) addUpdate(r *rand.Rand, on platform, restarts bool, ago int, title, severity string) {
	u := newUpdate(r, on, restarts)
	u.ago, u.title, u.severity = ago, title, severity
	c.updates = append(c.updates, u)
}

func (c *catalog) addDeployments(r *rand.Rand, all ...deployment) {
	for _, d := range all {
		id := "{" + strings.ToUpper(newGUID(r)) + "}"
		d.compliance = &topicRef{kind: topics.DeploymentCompliance, id: id, idType: 2, priority: usualPriority}
		d.enforcement = &topicRef{kind: topics.DeploymentEnforcement, id: id, idType: 2, priority: usualPriority}
		d.evaluation = &topicRef{kind: topics.DeploymentEvaluation, id: id, idType: 2, priority: usualPriority}
		c.deployments = append(c.deployments, d)
	}
}

func newUpdate(r *rand.Rand, on platform, restarts bool) update {
	id := newGUID(r)
	return update{
		detection:   &topicRef{kind: topics.UpdateDetection, id: id, idType: 3, priority: usualPriority},
		enforcement: &topicRef{kind: topics.UpdateEnforcement, id: id, idType: 3, priority: usualPriority},
		revision:    []string{strconv.Itoa(100 + r.IntN(150))},
		on:          on,
		restarts:    restarts,
	}
}

// newGUID is a random GUID in lower case, marked as one.
func newGUID(r *rand.Rand) string {
	b := newGUIDBytes(r)
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func newGUIDBytes(r *rand.Rand) (b [16]byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return b
}

// Failures that clients meet, each with how often.
type failure struct {
	weight int
	code   []string
}

var (
	installFailures = []failure{
		{22, []string{"0x80070005"}}, // access denied
		{20, []string{"0x80240022"}}, // operation failed for all updates
		{16, []string{"0x800705B4"}}, // timed out
		{14, []string{"0x87D00324"}}, // not detected after installation
		{10, []string{"0x80070643"}}, // fatal error during installation
		{8, []string{"0x800F0922"}},  // system reserved space
		{6, []string{"0x80073712"}},  // component store damaged
		{4, []string{"0x80070070"}},  // disk full
	}
	downloadFailures = []failure{
		{5, []string{"0x80D02002"}}, // no progress
		{3, []string{"0x80072EE2"}}, // timed out
		{2, []string{"0x80070070"}}, // disk full
	}
	scanFailures = []failure{
		{5, []string{"0x80244010"}}, // too many round trips
		{4, []string{"0x8024402C"}}, // proxy or server name not resolved
		{3, []string{"0x80072EE2"}}, // timed out
		{2, []string{"0x80240438"}}, // no route to the service
	}
)

func pickFailure(r *rand.Rand, from []failure) []string {
	return from[weighted(r, len(from), func(i int) int { return from[i].weight })].code
}
