package fleet

import (
	"fmt"
	"math/rand/v2"

	"statewire/agent"
	"statewire/smx"
)

// branch is a site of the company.
type branch struct {
	code     string
	weight   int
	codePage string
	lcid     uint32
	slow     float64 // how much longer things take over its line
}

var places = []branch{
	{"MUC", 18, "1252", 1031, 1}, {"BER", 9, "1252", 1031, 1.1}, {"ZRH", 8, "1252", 2055, 0.9},
	{"VIE", 6, "1252", 3079, 1.1}, {"LON", 12, "1252", 2057, 0.9}, {"PAR", 8, "1252", 1036, 1},
	{"MAD", 5, "1252", 1034, 1.3}, {"MIL", 5, "1252", 1040, 1.2}, {"KRK", 7, "1250", 1045, 1.2},
	{"OSL", 4, "1252", 1044, 0.8}, {"BOS", 12, "437", 1033, 1}, {"AUS", 8, "437", 1033, 1},
	{"SAO", 4, "1252", 1046, 1.9}, {"PNQ", 9, "437", 16393, 1.7}, {"TYO", 6, "932", 1041, 1},
	{"SYD", 4, "437", 3081, 1.5},
}

var (
	departments = []string{"FIN", "HR", "ENG", "SAL", "LOG", "LAB", "OPS", "MKT", "LEG", "SUP", "PRD", "RND"}
	serverRoles = []string{"DC", "SQL", "FS", "WEB", "APP", "PRN", "BKP", "EXC"}
)

// clientVersions are agents found on one site: mostly the current one, some a release behind, a few forgotten.
var clientVersions = []struct {
	weight  int
	version string
}{{70, "5.00.9132.1011"}, {18, "5.00.9128.1007"}, {8, "5.00.9122.1015"}, {3, "5.00.9106.1022"}, {1, "5.00.9068.1012"}}

// kind is what sort of machine a client is.
type kind uint8

const (
	laptop kind = iota
	workstation
	server
)

// machine is what a simulated client is and stays.
type machine struct {
	id   agent.Identity
	kind kind
	on   platform
	slow float64
}

func newMachine(r *rand.Rand, index int) machine {
	at := places[weighted(r, len(places), func(i int) int { return places[i].weight })]
	m := machine{slow: at.slow}
	unit, letter := departments[r.IntN(len(departments))], "L"
	switch p := r.IntN(100); {
	case p < 55:
		m.kind, m.on = laptop, windows11
	case p < 90:
		m.kind, m.on, letter = workstation, windows11, "W"
	default:
		m.kind, m.on, letter, unit = server, server2022, "S", serverRoles[r.IntN(len(serverRoles))]
	}
	if r.IntN(3) == 0 { // the older system of its kind
		m.on >>= 1
	}
	version := clientVersions[weighted(r, len(clientVersions),
		func(i int) int { return clientVersions[i].weight })].version
	m.id = agent.Identity{
		Client: smx.ClientID(newGUIDBytes(r)), NetBIOSName: fmt.Sprintf("%s-%s-%s%04d", at.code, unit, letter, index+1),
		ClientVersion: version, CodePage: at.codePage, LCID: at.lcid,
	}
	return m
}

// weighted picks an index below n by weight.
func weighted(r *rand.Rand, n int, weight func(int) int) int {
	total := 0
	for i := range n {
		total += weight(i)
	}
	at := r.IntN(total)
	for i := range n {
		at -= weight(i)
		if at < 0 {
			return i
		}
	}
	return n - 1
}
