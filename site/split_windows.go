package site

// SplitPlan says who is to run what on a split site.
type SplitPlan struct {
	Data         string
	Owner, Group int
	Users        map[string]int
	Roles, Inbox int
}

// SetUpSplit fails: no site runs here.
func SetUpSplit(SplitPlan) error { return errServer }
