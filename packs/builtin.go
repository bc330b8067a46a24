package packs

import (
	_ "embed"
	"sync"
)

// BuiltIns are what BuiltIn of an action may be.
var BuiltIns = [...]string{"policy", "send", "resync", "restart-agent", "collect-logs", "scan", "test-event",
	"quick-scan", "full-scan", "update-definitions"}

//go:embed utility.xml
var utilityXML []byte

var utility = sync.OnceValues(func() (*Pack, error) { return Parse(utilityXML) })

// BuiltIn is the pack Statewire.Utility, which every site and every agent has. It is trusted by its hash. Nobody
// changes what it points to.
func BuiltIn() *Pack {
	pack, err := utility()
	if err != nil {
		panic(err) // it is part of the program, and a test reads it
	}
	return pack
}
