package console

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"statewire/reports/reportstest"
)

// connections are some of the clients' by a server that reports, and one of a server that is silent.
func connections(s *reportstest.Seed) {
	site := &reportstest.Site{Seed: s}
	site.NotificationServer(1, "push1", time.Minute)
	s.Exec("INSERT INTO notification_servers (server_id, server_name, updated_time, silent, reported_time) VALUES " +
		"(2, 'push2', now64(6), 1, now64(6) - 1200)")
	list := []reportstest.Presence{{Client: 1, Server: 2, Since: hour, Heard: hour, Reason: "server_lost"},
		{Client: 2, Since: hour, Heard: hour, Reason: "closed"}}
	for n := 3; n <= 12; n++ {
		why := ""
		if n > 9 {
			why = "tcp push1:10123: connect: connection refused"
		}
		list = append(list, reportstest.Presence{Client: n, Online: true, HTTP: n > 9, Since: hour, Heard: hour,
			Address: "10.0.0.7", Reason: "signin", Why: why})
	}
	site.Presence(list...)
}

// patchDay is a fleet of 240 clients in the middle of installing a month's updates.
func patchDay(t *testing.T) *reportstest.Seed {
	s := reportstest.NewSeed(t)
	rng := rand.New(rand.NewPCG(1, 2))
	codes := []string{"0x80240022", "0x80070643", "-2145107924", "0x80070070", "0x80072EE2", "0x87D00668"}
	updates := []string{"5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", "5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1002",
		"5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1003"}
	var reports []report
	var messages []message
	for n := 1; n <= 240; n++ {
		silent := time.Duration(0)
		if n%17 == 0 {
			silent = time.Duration(n) * 8 * hour
		}
		serial := uint64(0)
		say := func(ago time.Duration, topic uint32, id string, state uint32, params ...string) {
			serial++
			messages = append(messages, message{Client: n, Serial: serial, Ago: ago + silent, Topic: topic, ID: id, State: state,
				Params: params})
		}
		spread := time.Duration(rng.IntN(3000)) * time.Second
		say(3*day+spread, 501, "WSUS-SITE01", 2)
		say(3*day+spread-time.Minute, 501, "WSUS-SITE01", pick(rng, 3, 3, 3, 3, 5, 6), codes[rng.IntN(6)])
		for u, update := range updates {
			if n%(11+u) == 0 {
				continue // never reported
			}
			say(2*day+spread, 500, update, 2)
			if rng.IntN(3) > 0 {
				say(day+spread, 402, update, 12)
				end := pick(rng, 10, 10, 10, 10, 9, 11, 8)
				if end == 11 {
					say(10*hour+spread, 402, update, end, codes[min(rng.IntN(9), rng.IntN(6))%6])
				} else {
					say(10*hour+spread, 402, update, end)
				}
				if end == 10 {
					say(9*hour+spread, 500, update, 3)
				}
			} else {
				say(day, 500, update, pick(rng, 1, 2, 3))
			}
		}
		if n%9 != 0 {
			say(9*hour, 300, "{DEPLOY-2025-11}", pick(rng, 1, 1, 1, 2, 2, 3))
			say(8*hour, 301, "{DEPLOY-2025-11}", pick(rng, 4, 4, 4, 5, 1, 6), codes[rng.IntN(6)])
			say(7*hour, 401, "Baseline-TLS", pick(rng, 1, 1, 1, 1, 2, 4))
		}
		reports = append(reports, report{Client: n, Name: fmt.Sprintf("PC-%04d", n), Received: silent + spread/2,
			Lag:  time.Duration(rng.IntN(4000)) * time.Millisecond,
			File: fmt.Sprintf("f%d.SMX", n), Messages: uint32(serial)})
		for range 6 {
			at := time.Duration(rng.IntN(3600)) * time.Second
			if n%17 != 0 {
				reports = append(reports, report{Client: n, Name: fmt.Sprintf("PC-%04d", n), Received: at, Lag: 2 * time.Second,
					File: fmt.Sprintf("g%d-%d.SMX", n, at), Messages: uint32(1 + rng.IntN(20))})
			}
		}
	}
	connections(s)
	s.Reports(reports...)
	s.Messages(messages...)
	s.Exec(`INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time) VALUES
		('TAZGYTSJ.SMX', 'bad_xml', 'the end tag </StateMessageserParameters> matches no start tag', 1, 812, 1402, now64(3) -
		3600),
		('QX1.SMX', 'bad_xml', 'the document ends inside an element', 40, 3, 900, now64(3) - 7200),
		('EMPTY.SMX', 'empty', 'the file holds nothing', 0, 0, 0, now64(3) - 9000)`)
	s.Exec(`INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line,
		column, received_time, set_aside_time)
		SELECT toUUID('` + id(7).String() + `'), 'f7.SMX', 0, 3, 99, 'bad_date',
			'MessageTime 20110230000000.000000+000 is no date', 3, 77, now64(6) - 4000, now64(3) - 4000`)
	return s
}

func pick(rng *rand.Rand, from ...uint32) uint32 { return from[rng.IntN(len(from))] }
