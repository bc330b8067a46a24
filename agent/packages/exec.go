package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	toolTimeout   = 2 * time.Minute
	toolGrace     = 5 * time.Second // between the end of a tool and the end of its pipes
	maxToolOutput = 16 << 20
	maxToolErrors = 4 << 10
)

// errTooMuch is what a tool that says more than anybody asked for ends with.
var errTooMuch = errors.New("more output than expected")

// runTool runs a program of this machine to its end, in the C locale, and returns what it wrote, and what it warned of.
func runTool(ctx context.Context, name string, args ...string) (said, warned []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANGUAGE=")
	cmd.WaitDelay = toolGrace
	out, errs := &bounded{most: maxToolOutput, stop: cancel}, &bounded{most: maxToolErrors}
	cmd.Stdout, cmd.Stderr = out, errs
	err = cmd.Run()
	switch {
	case out.over:
		return nil, nil, fmt.Errorf("%s: %w: above %d bytes", name, errTooMuch, maxToolOutput)
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("%s: %w", name, ctx.Err())
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w: %s", name, err, complaint(errs.text.Bytes()))
	}
	return out.text.Bytes(), errs.text.Bytes(), nil
}

// bounded keeps the first bytes written to it. At the bound it calls stop, if it has one, and swallows the rest.
type bounded struct {
	most int
	stop func()
	text bytes.Buffer
	over bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	room := b.most - b.text.Len()
	if len(p) <= room {
		return b.text.Write(p)
	}
	b.text.Write(p[:room])
	b.over = true
	if b.stop != nil {
		b.stop()
	}
	return len(p), nil
}

// complaint is what a tool gives as the reason: its first error line, without the mark, or its first line.
func complaint(errs []byte) string {
	first := ""
	for line := range strings.Lines(string(errs)) {
		line = strings.TrimSpace(line)
		if reason, ok := strings.CutPrefix(line, "E: "); ok {
			return reason
		}
		if first == "" {
			first = line
		}
	}
	if first == "" {
		return "it gave no reason"
	}
	return first
}
