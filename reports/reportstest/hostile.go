package reportstest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Hostile is what a compromised client may write into every text of its report.
var Hostile = []string{
	"=cmd|' /C calc'!A0", "+1+1", "-2+3+cmd", "@SUM(A1)", "\t=1+1", "\r=1+1", " =1+1", "＝1+1", "%0A=1", "|calc",
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`,
	`{{.}}`, `</title></table>`,
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\rb", "a\nb", "a\x00b", "\u202egnp.exe", "a\u200bb", "\x7f",
	`'); DROP TABLE clients; --`, `{topic_type:UInt32}`, `\`, `\'`, "`", `"a","b"`, "a;b", "\xff\xfe",
	strings.Repeat("x", 3000),
}

// HostileSite stores every hostile text as a computer's name, a topic id and a parameter.
func HostileSite(t *testing.T) *Seed { return StoreHostile(t, Hostile) }

// Told are the hostile texts where a client each takes long: those that do harm by how they begin are on their own,
// and so is the one that is cut. The others do harm wherever they stand: they come together, as many as are shown of a
// name.
func Told() (texts []string) {
	begin := slices.IndexFunc(Hostile, func(text string) bool { return strings.HasPrefix(text, "<") })
	last := len(Hostile) - 1
	texts = append(slices.Clone(Hostile[:begin]), Hostile[last])
	together := ""
	for _, text := range Hostile[begin:last] {
		if len(together)+len(text) > 60 {
			texts, together = append(texts, together), ""
		}
		together += text
	}
	return append(texts, together)
}

func StoreHostile(t *testing.T, texts []string) *Seed {
	s := NewSeed(t)
	site := &Site{Seed: s}
	site.NotificationServer(1, "push1", time.Minute)
	for n, text := range texts {
		site.Presence(Presence{Client: n, Online: n%2 == 0, HTTP: true, Server: uint32(1 + n%3), Since: Hour, Heard: Hour,
			Address: text, Reason: text, Why: text})
		s.Reports(Report{Client: n, Name: text, Received: Hour, File: text})
		s.Messages(Message{Client: n, Serial: 1, Ago: Hour, Topic: 402, ID: text, State: 11,
			Params: []string{text, "0x80240022", text}, File: text})
	}
	s.Exec(`INSERT INTO bad_files (name, code, reason, set_aside_time)
		VALUES ({name:String}, {name:String}, {name:String}, now64(3))`,
		clickhouse.Named("name", Hostile[10]))
	return s
}
