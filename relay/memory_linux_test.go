package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const maxResidentBytes = 256 << 20

// TestI21MemoryStaysBounded holds the relay's resident memory against its bound while all its connections are taken by
// slow clients, and while the largest bodies come in beside them.
func TestI21MemoryStaysBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	data := newData(t)
	c := startChild(t, data, plainBinary(t), nil)
	slow := DefaultConfig().MaxConnections - 32
	for range slow / 100 {
		var group errgroup.Group
		for range 100 {
			group.Go(func() error { return c.slowClient(t) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	used := c.resident(t)
	t.Logf("%d slow connections: %d MiB", slow, used>>20)
	var group errgroup.Group
	for i := range 16 {
		group.Go(func() error { return c.largeBody(t, i) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	used = max(used, c.peak(t))
	t.Logf("and 16 bodies of 8 MiB: %d MiB", used>>20)
	if used > maxResidentBytes {
		t.Errorf("%d MiB", used>>20)
	}
}

// slowClient opens a connection and sends part of a report.
func (c *childRelay) slowClient(t *testing.T) error {
	conn, err := tls.Dial("tcp", c.addr, c.tls)
	if err != nil {
		return err
	}
	t.Cleanup(func() { conn.NetConn().Close() })
	_, err = io.WriteString(conn, request("POST /mp/reports HTTP/1.1", "Content-Length: 8388608")+
		strings.Repeat(" ", 6000))
	return err
}

// largeBody sends the largest report there may be, of one kind or another, and reads whatever the answer is.
func (c *childRelay) largeBody(t *testing.T, i int) error {
	conn, err := tls.Dial("tcp", c.addr, c.tls)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	body := strings.Repeat("<a>", 8<<20/3)
	switch i % 4 {
	case 1:
		body = report(testClient, 10_000)
		body += strings.Repeat(" ", 8<<20-len(body))
	case 2:
		body = wide(strings.Replace(report(testClient, 1), "<ReportBody>", "<ReportBody>"+strings.Repeat(" ", 4<<20-2000), 1))
	case 3:
		body = strings.Replace(report(testClient, 1), "102", strings.Repeat("&lt;", 2<<20-1000), 1)
	}
	go io.WriteString(conn, fmt.Sprintf("POST /mp/reports HTTP/1.1\r\nHost: site\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body))
	conn.Read(make([]byte, 100)) // a refused body may end in a reset instead
	return nil
}

func (c *childRelay) resident(t *testing.T) int64 { return c.status(t, "VmRSS:") }
func (c *childRelay) peak(t *testing.T) int64     { return c.status(t, "VmHWM:") }

// status is a size from the kernel's account of the process.
func (c *childRelay) status(t *testing.T, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s", field)
	return 0
}
