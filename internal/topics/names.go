package topics

import (
	"slices"
	"strings"
)

// Name is a topic type's name for people: the catalog's constant, without what all of them begin with.
func Name(name string) string {
	name = strings.TrimPrefix(strings.ToUpper(name), "STATE_TOPICTYPE_")
	words := strings.Fields(strings.ToLower(strings.ReplaceAll(name, "_", " ")))
	for i, w := range words {
		words[i] = word(w)
	}
	words = slices.Compact(words) // SUM_UPDATE_DETECTION is about updates only once
	title := strings.Join(words, " ")
	if title == "" {
		return ""
	}
	return strings.ToUpper(title[:1]) + title[1:]
}

// word spells out the abbreviations of the catalog's topic names.
func word(abbreviation string) string {
	switch abbreviation {
	case "sum":
		return "update"
	case "assignment":
		return "deployment"
	case "ci":
		return "item"
	case "ep":
		return "Endpoint Protection"
	case "am":
		return "antimalware"
	case "fw":
		return "firewall"
	case "wp":
		return "wake-up proxy"
	case "dp":
		return "distribution point"
	case "cal":
		return "CAL"
	case "msg":
		return "message"
	case "nap":
		return "NAP"
	case "pxe":
		return "PXE"
	case "wsus":
		return "WSUS"
	case "dm", "dcm", "wns", "pfx", "crp", "has", "wufb", "vpn", "sms", "ckd", "os":
		return strings.ToUpper(abbreviation)
	case "policyapplication":
		return "policy application"
	case "modereadiness":
		return "mode readiness"
	case "comanagement":
		return "co-management"
	case "comm":
		return "communication"
	case "app":
		return "application"
	}
	return abbreviation
}
