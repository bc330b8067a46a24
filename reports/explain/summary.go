package explain

import (
	"fmt"
	"strings"

	"statewire/internal/humanize"
)

// summary is the one sentence that matters most.
func (e *evidence) summary() string {
	name := e.client.Called()
	missing := e.missing()
	switch {
	case !e.known() && e.heldByName() > 0:
		return fmt.Sprintf("The first report of %s waits in the inbox and is not loaded yet.", name)
	case !e.known() && e.refusing():
		return fmt.Sprintf("This site does not know %s: the relay refused its last report.", name)
	case !e.enrolled().IsZero():
		return fmt.Sprintf("%s enrolled at %s and has not reported yet.", name, e.when(e.enrolled()))
	case !e.known():
		return fmt.Sprintf("This site does not know %s.", name)
	case !e.reported() && e.refusing():
		return fmt.Sprintf("%s asks for its policy, but none of its reports is stored: the relay refused the last one.", name)
	case !e.reported():
		return fmt.Sprintf("%s asks for its policy, but has never reported.", name)
	case len(e.conflicts) > 0:
		return fmt.Sprintf("The counter of %s went back, so some of its states may be wrong; %s.", name, e.resyncClause())
	case len(missing) > 0:
		n := count(missing)
		return fmt.Sprintf("%s %s of %s %s missing; %s.", humanize.Number(n),
			humanize.Plural(int(min(n, 2)), "message", "messages"), name, humanize.Plural(int(min(n, 2)), "is", "are"),
			e.resyncClause())
	case e.differs != nil:
		return fmt.Sprintf("Every message of %s has arrived, and yet it holds other states than the site; %s.", name,
			e.resyncClause())
	}
	return e.calmSummary(name)
}

// calmSummary is said when nothing is missing.
func (e *evidence) calmSummary(name string) string {
	var but []string
	if e.refusing() {
		but = append(but, "the relay refused its last report")
	}
	if n := e.asideCount; n > 0 {
		but = append(but, fmt.Sprintf("%s %s set aside as bad", humanize.Number(n),
			humanize.Plural(n, "record was", "records were")))
	}
	if n := e.unconfirmed; n > 0 {
		but = append(but, fmt.Sprintf("%s %s unconfirmed", humanize.Number(n), humanize.Plural(n, "state is", "states are")))
	}
	if n := len(e.held.Files) + e.held.More; n > 0 {
		but = append(but, fmt.Sprintf("%s %s to be loaded", humanize.Number(n),
			humanize.Plural(n, "file waits", "files wait")))
	}
	if len(e.jumps()) > 0 {
		but = append(but, "its serials jumped")
	}
	if e.header.asideClaim > 0 {
		but = append(but, "a claim of it is kept aside")
	}
	if e.presence.reason == "duplicate" {
		but = append(but, "several machines sign in with its identity")
	}
	quiet := e.now.Sub(e.lastSign())
	if !e.header.retired.IsZero() {
		but = append(but, "the client is retired")
	} else if quiet > silentAfter {
		but = append(but, "the client has been silent for "+humanize.Span(quiet))
	} else if e.now.Sub(e.header.lastReport) > silentAfter && e.header.cacheUnsent > 0 {
		but = append(but, fmt.Sprintf("the client, though it %s, has not reported for %s", e.present(),
			humanize.Span(e.now.Sub(e.header.lastReport))))
	}
	if len(but) == 0 {
		return fmt.Sprintf("%s is complete: no message is missing, and its latest report is loaded.", name)
	}
	return fmt.Sprintf("No message of %s is missing, but %s.", name, joined(but))
}

// joined is a list in a sentence.
func joined(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// resyncClause says how far the repair is.
func (e *evidence) resyncClause() string {
	q, pending := e.pending()
	switch {
	case e.wish != nil:
		return "a resync was asked for and is to be issued"
	case !pending && len(e.held.Files) > 0:
		return "files of it wait to be loaded and may hold them"
	case !pending:
		return "no resync is under way yet"
	case q.Reached == Issued:
		return fmt.Sprintf("resync %d was issued, and the client has not picked it up", q.Number)
	case e.heldByName() > 0:
		return fmt.Sprintf("resync %d is under way, and its answer may be in what waits in the inbox", q.Number)
	case q.Reached == PickedUp:
		return fmt.Sprintf("the client picked up resync %d and its answer is awaited", q.Number)
	}
	return fmt.Sprintf("the answer to resync %d is arriving", q.Number)
}
