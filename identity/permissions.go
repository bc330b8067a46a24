package identity

import "slices"

// Role is what a person, or a token, is at a site. Each role may do what those before it may, and more.
type Role string

// The roles, from the least to the greatest.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // also asks clients and sets what they are told
	Admin    Role = "admin"    // also decides who may call, and deletes
)

// Roles are all of them, from the least to the greatest.
func Roles() []Role { return []Role{Viewer, Operator, Admin} }

// Has says whether a role may do what the other one may.
func (r Role) Has(other Role) bool {
	mine, its := slices.Index(Roles(), r), slices.Index(Roles(), other)
	return mine >= 0 && its >= 0 && mine >= its
}

// Permission is something that a caller may do, or may not.
type Permission string

// The permissions. Each is named in the table below.
const (
	MayReportRead  Permission = "report.read"
	MayClientRead  Permission = "client.read"
	MayExplainRead Permission = "explain.read"
	MayTraceRead   Permission = "trace.read"
	MayTaskRead    Permission = "task.read"
	MayPackRead    Permission = "pack.read"
	MaySQLRead     Permission = "sql.read"

	MayResyncRequest   Permission = "resync.request"
	MayResyncAccept    Permission = "resync.accept"
	MayPolicySet       Permission = "policy.set"
	MayCollectionWrite Permission = "collection.write"
	MayDeadReplay      Permission = "dead.replay"
	MayNamesWrite      Permission = "names.write"
	MayTargetSet       Permission = "target.set"
	MayClientRetire    Permission = "client.retire"
	MayReliefApply     Permission = "relief.apply"

	MayTaskPushBenign      Permission = "task.push.benign"
	MayTaskPushDisruptive  Permission = "task.push.disruptive"
	MayTaskPushDestructive Permission = "task.push.destructive"
	MayTaskCancel          Permission = "task.cancel"
	MayNotifyStop          Permission = "notify.stop"

	MayTaskApprove     Permission = "task.approve"
	MayDeadDrop        Permission = "dead.drop"
	MayClientDelete    Permission = "client.delete"
	MayEnrollToken     Permission = "enroll.token"
	MayClientApprove   Permission = "client.approve"
	MayClientRevoke    Permission = "client.revoke"
	MayPackImport      Permission = "pack.import"
	MayPackAssign      Permission = "pack.assign"
	MayTokenCreate     Permission = "token.create"
	MayTokenList       Permission = "token.list"
	MayTokenRevoke     Permission = "token.revoke"
	MayAuditRead       Permission = "audit.read"
	MayAuditExport     Permission = "audit.export"
	MayNotifyResume    Permission = "notify.resume"
	MaySiteConfig      Permission = "site.config"
	MayHierarchyChange Permission = "hierarchy.change"
)

// Second says when a second person has to agree.
type Second string

// When a second person has to agree; mostly never.
const (
	SecondNever Second = ""
	SecondAbove Second = "above tasks.approve_above"
	SecondEver  Second = "always"
)

// Right is a row of the table of permissions.
type Right struct {
	Permission Permission
	Least      Role // the least role that has it
	Audited    bool // a line is in the audit before it is done
	Second     Second
	Unscoped   bool // never for a caller that has only some collections
}

// Rights is the table of permissions. What is not in it nobody may do.
func Rights() []Right {
	return []Right{
		{Permission: MayReportRead, Least: Viewer},
		{Permission: MayClientRead, Least: Viewer},
		{Permission: MayExplainRead, Least: Viewer},
		{Permission: MayTraceRead, Least: Viewer},
		{Permission: MayTaskRead, Least: Viewer},
		{Permission: MayPackRead, Least: Viewer},
		{Permission: MaySQLRead, Least: Operator, Audited: true, Unscoped: true},

		{Permission: MayResyncRequest, Least: Operator, Audited: true},
		{Permission: MayResyncAccept, Least: Operator, Audited: true},
		{Permission: MayPolicySet, Least: Operator, Audited: true},
		{Permission: MayCollectionWrite, Least: Operator, Audited: true},
		{Permission: MayDeadReplay, Least: Operator, Audited: true},
		{Permission: MayNamesWrite, Least: Operator, Audited: true},
		{Permission: MayTargetSet, Least: Operator, Audited: true},
		{Permission: MayClientRetire, Least: Operator, Audited: true},
		{Permission: MayReliefApply, Least: Operator, Audited: true},

		{Permission: MayTaskPushBenign, Least: Operator, Audited: true},
		{Permission: MayTaskPushDisruptive, Least: Operator, Audited: true, Second: SecondAbove},
		{Permission: MayTaskPushDestructive, Least: Admin, Audited: true, Second: SecondEver},
		{Permission: MayTaskCancel, Least: Operator, Audited: true},
		{Permission: MayNotifyStop, Least: Operator, Audited: true},

		{Permission: MayTaskApprove, Least: Admin, Audited: true},
		{Permission: MayDeadDrop, Least: Admin, Audited: true},
		{Permission: MayClientDelete, Least: Admin, Audited: true},
		{Permission: MayEnrollToken, Least: Admin, Audited: true},
		{Permission: MayClientApprove, Least: Admin, Audited: true},
		{Permission: MayClientRevoke, Least: Admin, Audited: true},
		{Permission: MayPackImport, Least: Admin, Audited: true},
		{Permission: MayPackAssign, Least: Admin, Audited: true},
		{Permission: MayTokenCreate, Least: Admin, Audited: true},
		{Permission: MayTokenList, Least: Admin, Audited: true},
		{Permission: MayTokenRevoke, Least: Admin, Audited: true},
		{Permission: MayAuditRead, Least: Admin, Audited: true},
		{Permission: MayAuditExport, Least: Admin, Audited: true},
		{Permission: MayNotifyResume, Least: Admin, Audited: true},
		{Permission: MaySiteConfig, Least: Admin, Audited: true},
		{Permission: MayHierarchyChange, Least: Admin, Audited: true},
	}
}

// RightOf is a permission's row; false when it has none.
func RightOf(p Permission) (Right, bool) {
	for _, right := range Rights() {
		if right.Permission == p {
			return right, true
		}
	}
	return Right{}, false
}
