package summary

import (
	"cmp"
	"context"
	"slices"
)

// Causes, in the order that decides; a client's number is one more than its cause's place. implied is no cause: the client looked,
// and does not need it.
var causes = [...]string{"waiting", "gap", "set_aside", "unsent", "silent", "clock", "not_scanned", "never_told"}

const (
	notScanned = 7
	neverTold  = 8
	implied    = 9
)

// asking is whom a subject asks: the clients that scan, or the members of a target.
type asking struct {
	update bool
	target string
}

// askedClients are the clients that a subject counts whether or not they say something of it, ordered by the time of
// their last scan.
type askedClients struct {
	asking
	groups  map[askedGroup]*scanTimes
	silents uint64
}

type askedGroup struct {
	cause uint8
	gap   bool
}

// scanTimes are clients by the time of their last scan, ascending; before sums those up to each.
type scanTimes struct {
	at     []scanned
	before []uint64
}

type scanned struct {
	scan    int64
	clients uint64
}

// as is how a subject that was first seen then counts these clients, had none of them said anything of it: by the
// number of the cause, or implied.
func (a *askedClients) as(seen int64) (n [implied + 1]uint64) {
	for g, times := range a.groups {
		late, looked := times.split(seen)
		for _, part := range []struct {
			looked  bool
			clients uint64
		}{{false, late}, {true, looked}} {
			n[a.would(g, part.looked)] += part.clients
		}
	}
	return n
}

// would is the rule for a client that says nothing. In SQL it stands in spoke.sql.
func (a *askedClients) would(g askedGroup, looked bool) uint8 {
	switch {
	case a.target == "" && looked && !g.gap:
		return implied
	case g.cause > 0:
		return g.cause
	case a.update && !looked:
		return notScanned
	}
	return neverTold
}

// split counts the clients that scanned before a time, and those that did at it or later.
func (t *scanTimes) split(seen int64) (late, looked uint64) {
	at, _ := slices.BinarySearchFunc(t.at, seen, func(s scanned, seen int64) int { return cmp.Compare(s.scan, seen) })
	if at > 0 {
		late = t.before[at-1]
	}
	return late, t.before[len(t.before)-1] - late
}

// asked reads them, as they are at each moment.
func (c *counts) asked(ctx context.Context, who asking, kind string, m moments, parts []part) ([]*askedClients, error) {
	all := make([]*askedClients, m.count())
	for at := range all {
		all[at] = &askedClients{asking: who, groups: map[askedGroup]*scanTimes{}}
	}
	if who.target == "" && !who.update {
		return all, nil // reported: nobody is asked
	}
	for _, p := range parts {
		err := c.eachStanding(ctx, "asked", kind, who.target, m, p, nil, func(scan func(...any) error) error {
			var at uint16
			var cause, gap uint8
			var one scanned
			var silents uint64
			if err := scan(&at, &cause, &gap, &one.scan, &one.clients, &silents); err != nil {
				return err
			}
			all[at-1].take(askedGroup{cause, gap == 1}, one, silents)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, a := range all {
		a.sort()
	}
	return all, nil
}

func (a *askedClients) take(g askedGroup, one scanned, silents uint64) {
	a.silents += silents
	if a.groups[g] == nil {
		a.groups[g] = &scanTimes{}
	}
	a.groups[g].at = append(a.groups[g].at, one)
}

func (a *askedClients) sort() {
	for _, times := range a.groups {
		slices.SortFunc(times.at, func(x, y scanned) int { return cmp.Compare(x.scan, y.scan) })
		var sum uint64
		for _, one := range times.at {
			sum += one.clients
			times.before = append(times.before, sum)
		}
	}
}
