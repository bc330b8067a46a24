package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/trust"
)

// trustCheck says how the site stands with its trust keys. It opens none. A folder without them has no such line.
func (g *globals) trustCheck(now time.Time) []check {
	standing, err := trust.Look(g.trustDir())
	switch {
	case err == nil:
		return []check{standingCheck(standing, now)}
	case g.noTrust():
		return nil
	case errors.Is(err, fs.ErrPermission):
		return []check{{"trust", cli.HealthUnknown, err.Error()}}
	}
	return []check{{"trust", cli.HealthCritical, err.Error()}}
}

// noTrust says that the site has no folder of trust keys: nobody made one, or it is from before there were any.
func (g *globals) noTrust() bool {
	there, err := isThere(g.trustDir())
	return !there && err == nil
}

// signSoon is the life that is left when an administrator should sign: the last third of a task key's.
const signSoon = trust.TaskKeyLife / 3

// standingCheck says it in words. What is renewed by itself is nobody's task, unless nothing runs that does it.
func standingCheck(s trust.Standing, now time.Time) check {
	where := "root and pack keys are offline"
	if !s.Offline() {
		where = fmt.Sprintf("%s and %s on the server", cli.FmtCount(s.RootsHere, "root key"), cli.FmtCount(s.PackKeysHere,
			"pack key"))
	}
	c := check{"trust", cli.HealthOK, fmt.Sprintf("%s; version %d of the trust document is good until %s", where,
		s.Version,
		s.Expires.Format(time.DateOnly))}
	if s.TaskKeyEnds.IsZero() {
		c.detail += ", no task key is on the server"
	} else {
		c.detail += ", the task key until " + s.TaskKeyEnds.Format(time.DateOnly)
	}
	left, advice := s.Ends().Sub(now), "sign the next one: `statewire trust next`"
	if s.Signs {
		advice = "a running site signs the next one itself"
	}
	switch {
	case left <= 0 && s.Signs:
		c.health = cli.HealthWarning
	case !now.Before(s.Expires):
		c.health, advice = cli.HealthCritical, "clients take no new pack and no task: "+advice
	case left <= 0:
		c.health, advice = cli.HealthCritical, "no task can be signed: "+advice
	case left <= signSoon && !s.Signs:
		c.health = cli.HealthWarning
	case !s.Signs:
		advice = "before then, " + advice
	}
	c.detail += "; " + advice
	return c
}
