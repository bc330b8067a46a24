package embedded

import (
	"errors"
	"regexp"
	"strings"
)

// errRefused is all that the engine's interface says about an engine that does not open.
var errRefused = errors.New("the engine refused a connection")

// dialKeeper opens the engine. One that does not open is asked once more with its log on
// standard error: that is where it gives its reason, at once, not by a thread that may come
// late. Then it is asked as it should be:
// the reason may have gone, and where it has not, the engine forgets to log, which it would
// do at the next start otherwise.
func (e *Engine) dialKeeper() error {
	quiet := func() (err error) { e.keeper, err = dial(e.lib, e.args, 0); return err }
	said, err := captureStderr(quiet)
	if err == nil {
		return nil
	}
	more, _ := captureStderr(func() error {
		c, err := dial(e.lib, append(e.args[:len(e.args):len(e.args)], "--logger.level=error", "--logger.console=1",
			"--logger.async=0"), 0)
		if err == nil {
			c.close()
		}
		return err
	})
	if _, err = captureStderr(quiet); err == nil {
		return nil
	}
	if !errors.Is(err, errRefused) {
		return err
	}
	return refusal(said+"\n"+more, err)
}

var (
	// failedLine is how the engine ends when it does not open; what follows is the cause,
	// or nothing.
	failedLine = regexp.MustCompile(`Failed to initialize EmbeddedServer: (.*)`)
	// codeLine is an error of the engine: the cause, or a warning on the way to it.
	codeLine = regexp.MustCompile(`Code: \d+\. .*`)
	// noise is what tells a person nothing.
	noise = regexp.MustCompile(
		`^Error initializing EmbeddedServer:|,? *Stack trace \(when copying this message.*| \(version [0-9.]+(?: \([^)]*\))?\)$`)
)

// refusal is the cause that the engine printed, which comes last: what it printed before
// are warnings that it went on after. err is for an engine that printed nothing.
func refusal(said string, err error) error {
	lines := codeLine.FindAllString(said, -1)
	for _, m := range failedLine.FindAllStringSubmatch(said, -1) {
		if line := noise.ReplaceAllString(m[1], ""); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return err
	}
	return cause(lines[len(lines)-1])
}

func cause(line string) error {
	line = strings.TrimSpace(noise.ReplaceAllString(line, ""))
	if codePrefix.MatchString(line) {
		return exception(line)
	}
	return errors.New(line)
}
