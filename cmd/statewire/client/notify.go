package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// supervisor is the service manager that started this process, if it wants to hear from it: the datagrams of systemd's
// Type=notify.
type supervisor struct {
	address  string        // empty: there is none
	watchdog time.Duration // it ends a process that is silent for so long; 0 = never
	heard    func(string)  // called with every state told; nil: by nobody
}

// newSupervisor reads what the service manager left in the environment, and takes it out: children don't speak for this
// process.
func newSupervisor() supervisor {
	s := supervisor{address: os.Getenv("NOTIFY_SOCKET")}
	if strings.HasPrefix(s.address, "@") { // an abstract name begins with a zero
		s.address = "\x00" + s.address[1:]
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && us > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(us) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name)
	}
	return s
}

// Tell sends one state, such as READY=1. Without a service manager it does nothing.
func (s supervisor) Tell(state string) error {
	if s.heard != nil {
		s.heard(state)
	}
	if s.address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %s: %w", state, err)
	}
	return nil
}

// keepAlive tells the service manager twice per watchdog time that the process works, as long as works says so, until
// ctx ends.
func (s supervisor) keepAlive(ctx context.Context, works func() error) error {
	if s.address == "" || s.watchdog == 0 {
		return nil
	}
	tick := time.NewTicker(s.watchdog / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := works(); err != nil {
			return err
		}
		_ = s.Tell("WATCHDOG=1") // what is not heard once is heard the next time, or the service manager ends the process
	}
}
