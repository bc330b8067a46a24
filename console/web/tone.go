package web

import "regexp"

// Tone is how a state reads at a glance; its name is always written beside it.
type Tone string

// The tones. ToneNone is for what a figure leaves out.
const (
	ToneGood    Tone = "good"
	ToneBusy    Tone = "busy"
	ToneBad     Tone = "bad"
	ToneUnknown Tone = "unknown"
	TonePlain   Tone = "plain"
	ToneNone    Tone = "none"
)

// The first form that matches a state's name decides. The names are those of the state catalog; names of
// states that users add read the same way.
var (
	failForm    = regexp.MustCompile(`(?i)\bfail`)
	unknownForm = regexp.MustCompile(`(?i)\bunknown\b`)
	badForm     = regexp.MustCompile(
		`(?i)\bfail|\berrors?\b|\bconflict|non-compliant|not successful|not supported|n.t supported|can.t|` +
			`invalid|n.t valid|non-valid|not valid|unavailable|incorrect|revoked|mismatch|missing|not match|` +
			`disk is full|isn.t MS signed|requirements not met|disallowed|not ready|\brejected\b|\brestricted|` +
			`expired|corrupt|\bbad\b|denied|timed? ?out|sensor off`)
	busyForm = regexp.MustCompile(
		`(?i)wait|pending|installing|download|\bstarted|scheduled|running|in progress|restart|reboot|` +
			`deferred|retry|required before|update is required|\bdetected$|requested|issued$|retriev|updating|` +
			`activated$`)
	doneForm  = regexp.MustCompile(`(?i)successfully|^issued$`)
	calmForm  = regexp.MustCompile(`(?i)not required|n.t required|not applicable|not needed`)
	plainForm = regexp.MustCompile(
		`(?i)not detected|skipped|disabled|removed|deleted|cancel|unmanaged|isn.t installed|opt-out|` +
			`deactivated|aggregate data|no active user`)
	goodForm = regexp.MustCompile(
		`(?i)compliant|success|succeeded|installed|completed?\b|ready|enforced|managed|active|\bon\b|enabled|` +
			`\bset\b|verified|issued|is supported|added|communicating|unrestricted|downloaded`)
)

// ToneOf reads a state's name.
func ToneOf(state string) Tone {
	switch {
	case unknownForm.MatchString(state) && !failForm.MatchString(state):
		return ToneUnknown
	case badForm.MatchString(state):
		return ToneBad
	case doneForm.MatchString(state), calmForm.MatchString(state):
		return ToneGood
	case plainForm.MatchString(state):
		return TonePlain
	case busyForm.MatchString(state):
		return ToneBusy
	case goodForm.MatchString(state):
		return ToneGood
	}
	return TonePlain
}
