package console

import (
	"net/url"
	"strings"

	"statewire/console/web"
)

// classWord is a class of the rule for people, with how it reads at a glance.
type classWord struct {
	name, label string
	tone        web.Tone
}

// classes are in the order in which the rule puts them, which the bars have too.
var classes = []classWord{
	{"compliant", "compliant", web.ToneGood},
	{"restart", "restart", web.ToneBusy},
	{"pending", "pending", web.ToneBusy},
	{"bad", "not compliant", web.ToneBad},
	{"failed", "failed", web.ToneBad},
	{"not_applicable", "not applicable", web.ToneNone},
	{"not_applicable_implied", "not applicable, implied", web.ToneNone},
	{"said_unknown", "said unknown", web.ToneUnknown},
	{"not_known", "not known", web.ToneUnknown},
	{"said_nothing", "said nothing", web.ToneUnknown}, // by a moment of the past: why is not known any more
	{"other", "other", web.TonePlain},
	{"outside", "outside", web.ToneNone},
}

// together are words for several classes at once.
var together = map[string]string{"not_compliant": "not compliant", "unknown": "not known"}

// classTone is how a class reads, of a subject or of a whole machine; a cause of not knowing reads as not known.
func classTone(name string) web.Tone {
	if name == "required" {
		return web.ToneBad
	}
	for _, c := range classes {
		if c.name == name {
			return c.tone
		}
	}
	return web.ToneUnknown
}

// classLabel is a class or cause for people.
func classLabel(kind, name string) string {
	if name == "bad" && kind == "update" {
		return "required"
	}
	for _, c := range classes {
		if c.name == name {
			return c.label
		}
	}
	if label, ok := together[name]; ok {
		return label
	}
	return strings.ReplaceAll(name, "_", " ")
}

// subjectLink is the address of a subject's page.
func subjectLink(kind, id string) string {
	return "/subjects/" + url.PathEscape(kind) + "/" + url.PathEscape(id)
}

// articleLink is an address that a title gave, if a browser may follow it: only addresses of the web are.
func articleLink(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}
