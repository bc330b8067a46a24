package identity

import "slices"

// Door is where somebody calls: a listener, a private socket, or the command line.
type Door string

// The doors of a site.
const (
	AtPages    Door = "reports.listen"   // pages and API
	AtRelay    Door = "relay.listen"     // what clients call
	AtResync   Door = "run/resync.sock"  // the resync role
	AtStore    Door = "statewire.sock"   // the embedded store
	AtMetrics  Door = "run/metrics.sock" // a process without pages
	AtIdentity Door = "run/identity.sock"
	AtManager  Door = "run/manager.sock"  // the notification manager
	AtNotifier Door = "run/notifier.sock" // a notifier that runs beside the relay
	AtCommand  Door = "statewire"         // the program's commands
)

// Scope says how an answer is kept within a caller's collections.
type Scope string

// What an answer is about.
const (
	WholeSite    Scope = "site"       // every client: a caller with collections is refused
	ByCollection Scope = "collection" // the clients of the parameter collection, which has to be the caller's
	ByClient     Scope = "client"     // one client, which has to be in a collection of the caller's
	ByTask       Scope = "task"       // tasks, of which the notification manager gives a caller its own
	NoClient     Scope = "none"       // no client
)

// Need is what a route, a call or a command asks of its caller. What has no row is refused.
type Need struct {
	Door       Door
	Name       string     // method and path of a route or call as it is registered, a command's words
	Permission Permission // empty: none is needed, and Why says why
	Scope      Scope      // of pages and API
	Why        string
}

// Why some need no permission.
const (
	byCertificate = "the caller's certificate decides"
	noSecret      = "it tells nothing of the site"
	ownClient     = "it acts on this machine's own client, by its socket or folder"
	ownFiles      = "it needs the data directory, which is its owner's alone"
	simulated     = "it simulates clients, and needs no more rights than they have"
	siteProcess   = "only the site's own processes call it"
)

// RoleCall is a call of a private socket that the users of roles may make on a split site.
type RoleCall struct {
	Door  Door
	Name  string
	Roles []string
}

// RoleCalls is all that the users of roles may call. Whatever has no row here is for the owner of the data directory
// and for root.
func RoleCalls() []RoleCall {
	all, relay, known := []string{"relay", "notifier", "fsp"}, []string{"relay"}, []string{"relay", "notifier"}
	notifier := []string{"notifier"}
	return []RoleCall{
		{AtIdentity, "POST /identity/role/certificate", all},
		{AtIdentity, "POST /identity/audit/begin", all}, // in the name of the role
		{AtIdentity, "POST /identity/audit/finish", all},
		{AtIdentity, "POST /identity/enroll", relay},
		{AtIdentity, "POST /identity/renew", relay},
		{AtIdentity, "POST /identity/seen", known},
		{AtIdentity, "POST /identity/strangers", known},
		{AtResync, "POST /resync/policy", relay},
		{AtManager, "POST /manager/work", notifier},
		{AtManager, "POST /manager/seen", notifier},
		{AtManager, "POST /manager/results", notifier},
		{AtNotifier, "POST /mp/channel", relay},
	}
}

// RoleMay says whether the user of a role may make a call.
func RoleMay(role string, door Door, name string) bool {
	return slices.ContainsFunc(RoleCalls(), func(c RoleCall) bool {
		return c.Door == door && c.Name == name && slices.Contains(c.Roles, role)
	})
}

// NeedOf is the row of a route, call or command; false when it has none.
func NeedOf(door Door, name string) (Need, bool) {
	for _, need := range Needs() {
		if need.Door == door && need.Name == name {
			return need, true
		}
	}
	return Need{}, false
}

// Needs is every route, call and command with what it asks of its caller.
func Needs() []Need {
	return []Need{
		{AtPages, "GET /{$}", MayReportRead, WholeSite, ""},
		{AtPages, "GET /panels/{name}", MayReportRead, WholeSite, ""},
		{AtPages, "GET /completeness", MayReportRead, WholeSite, ""},
		{AtPages, "GET /clients/{id}", MayClientRead, ByClient, ""},
		{AtPages, "GET /compliance", MayReportRead, ByCollection, ""},
		{AtPages, "GET /subjects/{kind}/{id...}", MayReportRead, ByCollection, ""},
		{AtPages, "GET /machines", MayReportRead, ByCollection, ""},
		{AtPages, "GET /collections", MayReportRead, WholeSite, ""},
		{AtPages, "GET /names", MayReportRead, WholeSite, ""},
		{AtPages, "GET /suggest/{what}", MayReportRead, WholeSite, ""},
		{AtPages, "GET /operations", MayTaskRead, ByTask, ""},
		{AtPages, "GET /operations/{id}", MayTaskRead, ByTask, ""},
		{AtPages, "GET /reports", MayReportRead, NoClient, ""},
		{AtPages, "GET /reports/{name}", MayReportRead, ByCollection, ""},
		{AtPages, "GET /static/", "", NoClient, noSecret},
		{AtPages, "GET /healthz", "", NoClient, noSecret},
		{AtPages, "GET /readyz", "", NoClient, "whoever watches the process asks it"},
		{AtPages, "GET /metrics", MayReportRead, WholeSite, ""},
		{AtPages, "GET /api/v1/reports", MayReportRead, NoClient, ""},
		{AtPages, "GET /api/v1/reports/{name}", MayReportRead, ByCollection, ""},
		{AtPages, "GET /api/v1/status", MayReportRead, WholeSite, ""},
		{AtPages, "GET /api/v1/clients/{id}/explain", MayExplainRead, ByClient, ""},
		{AtPages, "GET /api/v1/clients/{id}/trace/{serial}", MayTraceRead, ByClient, ""},
		{AtPages, "PUT /api/v1/names", MayNamesWrite, WholeSite, ""},
		{AtPages, "GET /api/v1/subjects", MayReportRead, WholeSite, ""},
		{AtPages, "GET /api/v1/subjects/{kind}/{id}", MayReportRead, ByCollection, ""},
		{AtPages, "GET /api/v1/tasks", MayTaskRead, ByTask, ""},
		{AtPages, "POST /api/v1/tasks", MayTaskPushBenign, ByTask, ""}, // more for a task of another class
		{AtPages, "GET /api/v1/tasks/{id}", MayTaskRead, ByTask, ""},
		{AtPages, "POST /api/v1/tasks/{id}/approve", MayTaskApprove, ByTask, ""},
		{AtPages, "POST /api/v1/tasks/{id}/cancel", MayTaskCancel, ByTask, ""},
		{AtPages, "POST /api/v1/tasks/{id}/rate", MayTaskPushBenign, ByTask, ""},
		{AtPages, "POST /api/v1/notify/resume", MayNotifyResume, WholeSite, ""},
		{AtPages, "POST /api/v1/notify/stop", MayNotifyStop, WholeSite, ""},
		{AtPages, "GET /api/v1/openapi.json", MayReportRead, NoClient, ""},
		{AtPages, "GET /api/v1/openapi.yaml", MayReportRead, NoClient, ""},
		{AtPages, "GET /api/v1/openapi-3.0.json", MayReportRead, NoClient, ""},
		{AtPages, "GET /api/v1/openapi-3.0.yaml", MayReportRead, NoClient, ""},
		{AtPages, "/", "", NoClient, "nothing is there: 404 or 405"},

		{AtRelay, "POST /mp/reports", "", "", byCertificate},
		{AtRelay, "GET /mp/policy", "", "", byCertificate},
		{AtRelay, "POST /mp/enroll", "", "", "the enrolment token decides"},
		{AtRelay, "POST /mp/renew", "", "", byCertificate},
		{AtRelay, "GET /mp/denied", "", "", byCertificate},
		{AtRelay, "POST /mp/channel", "", "", byCertificate},

		{AtResync, "POST /resync/check", MayResyncRequest, "", ""},
		{AtResync, "POST /resync/request", MayResyncRequest, "", ""},
		{AtResync, "POST /resync/accept", MayResyncAccept, "", ""},
		{AtResync, "POST /resync/list", MayReportRead, "", ""},
		{AtResync, "POST /resync/client/delete", MayClientDelete, "", ""},
		{AtResync, "POST /resync/client/retire", MayClientRetire, "", ""},
		{AtResync, "POST /resync/client/unretire", MayClientRetire, "", ""},
		{AtResync, "POST /resync/collection/add", MayCollectionWrite, "", ""},
		{AtResync, "POST /resync/collection/create", MayCollectionWrite, "", ""},
		{AtResync, "POST /resync/collection/delete", MayCollectionWrite, "", ""},
		{AtResync, "POST /resync/collection/list", MayClientRead, "", ""},
		{AtResync, "POST /resync/collection/show", MayClientRead, "", ""},
		{AtResync, "POST /resync/names/load", MayNamesWrite, "", ""},
		{AtResync, "POST /resync/names/delete", MayNamesWrite, "", ""},
		{AtResync, "POST /resync/target/set", MayTargetSet, "", ""},
		{AtResync, "POST /resync/target/clear", MayTargetSet, "", ""},
		{AtResync, "POST /resync/next-serial", "", "", siteProcess},
		{AtResync, "POST /resync/policy", "", "", siteProcess},
		{AtResync, "POST /resync/polled", "", "", siteProcess},
		{AtResync, "POST /resync/policy/set", MayPolicySet, "", ""},
		{AtResync, "POST /resync/policy/list", MayClientRead, "", ""},
		{AtResync, "GET /schedule", "", "", siteProcess},
		{AtStore, "/clickhouse/", "", "", siteProcess},
		{AtMetrics, "/", "", "", siteProcess},
		{AtIdentity, "POST /identity/api-token/create", MayTokenCreate, "", ""},
		{AtIdentity, "POST /identity/api-token/list", MayTokenList, "", ""},
		{AtIdentity, "POST /identity/api-token/revoke", MayTokenRevoke, "", ""},
		{AtIdentity, "POST /identity/api-token/standing", "", "", siteProcess},
		{AtIdentity, "POST /identity/api-token/verify", "", "", siteProcess},
		{AtIdentity, "POST /identity/audit/begin", "", "", siteProcess},
		{AtIdentity, "POST /identity/audit/finish", "", "", siteProcess},
		{AtIdentity, "POST /identity/ca/stage", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/ca/staged", "", "", siteProcess},
		{AtIdentity, "POST /identity/ca/switch", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/backup", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/client/deny", "", "", siteProcess},
		{AtIdentity, "POST /identity/client/list", MayClientRead, "", ""},
		{AtIdentity, "POST /identity/client/revoke", MayClientRevoke, "", ""},
		{AtIdentity, "POST /identity/client/show", MayClientRead, "", ""},
		{AtIdentity, "POST /identity/decide", MayClientApprove, "", ""},
		{AtIdentity, "POST /identity/enroll", "", "", siteProcess},
		{AtIdentity, "POST /identity/pause", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/pending", MayClientApprove, "", ""},
		{AtIdentity, "POST /identity/renew", "", "", siteProcess},
		{AtIdentity, "POST /identity/role/certificate", "", "", "the user who runs the role decides"},
		{AtIdentity, "POST /identity/seen", "", "", siteProcess},
		{AtIdentity, "POST /identity/strangers", "", "", siteProcess},
		{AtIdentity, "POST /identity/summary", MayReportRead, "", ""},
		{AtIdentity, "POST /identity/token/create", MayEnrollToken, "", ""},
		{AtIdentity, "POST /identity/token/list", MayEnrollToken, "", ""},
		{AtIdentity, "POST /identity/token/revoke", MayEnrollToken, "", ""},
		{AtIdentity, "POST /identity/trust/forget", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/trust/load", MaySiteConfig, "", ""},
		{AtIdentity, "POST /identity/trust/next", MaySiteConfig, "", ""},

		{AtManager, "POST /manager/work", "", "", siteProcess},
		{AtManager, "POST /manager/seen", "", "", siteProcess},
		{AtManager, "POST /manager/results", "", "", siteProcess},
		{AtManager, "POST /manager/wake", "", "", siteProcess},
		{AtManager, "POST /manager/revoked", "", "", siteProcess},
		{AtManager, "POST /manager/forget", "", "", siteProcess},
		{AtManager, "POST /manager/servers", MayReportRead, "", ""},
		{AtManager, "POST /manager/lag", MayReportRead, "", ""},
		{AtManager, "POST /manager/task/plan", MayTaskPushBenign, "", ""}, // of the task's own class
		{AtManager, "POST /manager/task/create", MayTaskPushBenign, "", ""},
		{AtManager, "POST /manager/task/list", MayTaskRead, "", ""},
		{AtManager, "POST /manager/task/show", MayTaskRead, "", ""},
		{AtManager, "POST /manager/task/cancel", MayTaskCancel, "", ""},
		{AtManager, "POST /manager/task/approve", MayTaskApprove, "", ""},
		{AtManager, "POST /manager/task/rate", MayTaskPushBenign, "", ""},
		{AtManager, "POST /manager/task/output", MayTaskRead, "", ""},
		{AtManager, "POST /manager/task/waiting", MayTaskRead, "", ""},
		{AtManager, "POST /manager/task/lasting", "", "", siteProcess},
		{AtManager, "POST /manager/stop", MayNotifyStop, "", ""},
		{AtManager, "POST /manager/stopped", MayTaskRead, "", ""},
		{AtManager, "POST /manager/resume", MayNotifyResume, "", ""},
		{AtManager, "POST /manager/summary/rebuild", MayResyncRequest, "", ""},
		{AtNotifier, "POST /mp/channel", "", "", siteProcess},

		{AtCommand, "account", MayReportRead, "", ""},
		{AtCommand, "agent accept-serial", "", "", ownClient},
		{AtCommand, "agent enroll", "", "", ownClient},
		{AtCommand, "agent messages", "", "", ownClient},
		{AtCommand, "agent new-id", "", "", ownClient},
		{AtCommand, "agent resend", "", "", ownClient},
		{AtCommand, "agent run", "", "", ownClient},
		{AtCommand, "agent scan", "", "", ownClient},
		{AtCommand, "agent send", "", "", ownClient},
		{AtCommand, "agent status", "", "", ownClient},
		{AtCommand, "agent tasks", "", "", ownClient},
		{AtCommand, "collection create", MayCollectionWrite, "", ""},
		{AtCommand, "collection delete", MayCollectionWrite, "", ""},
		{AtCommand, "collection list", MayClientRead, "", ""},
		{AtCommand, "collection show", MayClientRead, "", ""},
		{AtCommand, "compliance", MayReportRead, "", ""},
		{AtCommand, "config check", "", "", "it reads a file that its caller can read"},
		{AtCommand, "config show", "", "", "it reads a file that its caller can read"},
		{AtCommand, "dead drop", MayDeadDrop, "", ""},
		{AtCommand, "dead list", MayReportRead, "", ""},
		{AtCommand, "dead replay", MayDeadReplay, "", ""},
		{AtCommand, "dead show", MayReportRead, "", ""},
		{AtCommand, "demo", "", "", simulated},
		{AtCommand, "demo-remove", "", "", "it removes a folder that demo made for its caller"},
		{AtCommand, "explain", MayExplainRead, "", ""},
		{AtCommand, "fleet", "", "", simulated},
		{AtCommand, "fleet verify", MayReportRead, "", ""},
		{AtCommand, "ingest", "", "", ownFiles},
		{AtCommand, "load", "", "", ownFiles},
		{AtCommand, "names delete", MayNamesWrite, "", ""},
		{AtCommand, "names export", MayReportRead, "", ""},
		{AtCommand, "names list", MayReportRead, "", ""},
		{AtCommand, "names load", MayNamesWrite, "", ""},
		{AtCommand, "names show", MayReportRead, "", ""},
		{AtCommand, "target clear", MayTargetSet, "", ""},
		{AtCommand, "target list", MayReportRead, "", ""},
		{AtCommand, "target set", MayTargetSet, "", ""},
		{AtCommand, "notify", MayTaskPushBenign, "", ""}, // more for a task of another class
		{AtCommand, "notify resume", MayNotifyResume, "", ""},
		{AtCommand, "notify stop", MayNotifyStop, "", ""},
		{AtCommand, "policy list", MayClientRead, "", ""},
		{AtCommand, "policy set", MayPolicySet, "", ""},
		{AtCommand, "report", MayReportRead, "", ""},
		{AtCommand, "report list", MayReportRead, "", ""},
		{AtCommand, "resync accept", MayResyncAccept, "", ""},
		{AtCommand, "resync check", MayResyncRequest, "", ""},
		{AtCommand, "resync list", MayReportRead, "", ""},
		{AtCommand, "resync request", MayResyncRequest, "", ""},
		{AtCommand, "serve", "", "", ownFiles},
		{AtCommand, "sql", MaySQLRead, "", ""},
		{AtCommand, "status", MayReportRead, "", ""},
		{AtCommand, "store accept-loss", MaySiteConfig, "", ""},
		{AtCommand, "store migrate", MaySiteConfig, "", ""},
		{AtCommand, "summary rebuild", MayResyncRequest, "", ""},
		{AtCommand, "tasks approve", MayTaskApprove, "", ""},
		{AtCommand, "tasks cancel", MayTaskCancel, "", ""},
		{AtCommand, "tasks list", MayTaskRead, "", ""},
		{AtCommand, "tasks rate", MayTaskPushBenign, "", ""},
		{AtCommand, "tasks show", MayTaskRead, "", ""},
		{AtCommand, "token create", MayTokenCreate, "", ""},
		{AtCommand, "token list", MayTokenList, "", ""},
		{AtCommand, "token revoke", MayTokenRevoke, "", ""},
		{AtCommand, "trace", MayTraceRead, "", ""},

		{AtCommand, "audit export", MayAuditExport, "", ""},
		{AtCommand, "audit list", MayAuditRead, "", ""},
		{AtCommand, "audit verify", MayAuditRead, "", ""},
		{AtCommand, "backup", MaySiteConfig, "", ""},
		{AtCommand, "ca stage", MaySiteConfig, "", ""},
		{AtCommand, "ca switch", MaySiteConfig, "", ""},
		{AtCommand, "client delete", MayClientDelete, "", ""},
		{AtCommand, "client list", MayClientRead, "", ""},
		{AtCommand, "client retire", MayClientRetire, "", ""},
		{AtCommand, "client revoke", MayClientRevoke, "", ""},
		{AtCommand, "client show", MayClientRead, "", ""},
		{AtCommand, "client unretire", MayClientRetire, "", ""},
		{AtCommand, "enroll approve", MayClientApprove, "", ""},
		{AtCommand, "enroll deny", MayClientApprove, "", ""},
		{AtCommand, "enroll pause", MaySiteConfig, "", ""},
		{AtCommand, "enroll pending", MayClientApprove, "", ""},
		{AtCommand, "enroll resume", MaySiteConfig, "", ""},
		{AtCommand, "enroll token create", MayEnrollToken, "", ""},
		{AtCommand, "enroll token list", MayEnrollToken, "", ""},
		{AtCommand, "enroll token revoke", MayEnrollToken, "", ""},
		{AtCommand, "role enroll", "", "", "the enrolment token decides"},
		{AtCommand, "role renew", "", "", "it needs the role's key, which is in a folder of its caller's"},
		{AtCommand, "split setup", MaySiteConfig, "", ""},
		{AtCommand, "trust init", "", "", "it makes keys in a folder of its caller's"},
		{AtCommand, "trust load", MaySiteConfig, "", ""},
		{AtCommand, "trust next", MaySiteConfig, "", ""},
		{AtCommand, "trust offline", MaySiteConfig, "", ""},
		{AtCommand, "trust show", MayReportRead, "", ""},
		{AtCommand, "trust sign", "", "", "it needs root keys, which are in a folder of its caller's"},
	}
}
