package main

import (
	"os"
	"testing"
)

func TestCommandsOfATerminalAreNotWrittenToOne(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal to be had:", err)
	}
	defer terminal.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for text, refused := range map[string]bool{"<a>\r\n\tä</a>\n": false, "\x1b[31m": true, "\u009b31m": true,
		"\u202e": true, "\xff": true, "a\rb": true} {
		if err := writeRaw(terminal, []byte(text)); (err != nil) != refused {
			t.Errorf("%q: %v", text, err)
		}
		if err := writeRaw(null, []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
