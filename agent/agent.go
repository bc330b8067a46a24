// Package agent is the client's side: it numbers state messages when they enter a report, sends the report until the relay
// has it, and never skips a serial.
package agent
