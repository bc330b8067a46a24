package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// slowEngine answers the driver's opening question at once and every statement when it is
// let go.
type slowEngine struct {
	release chan struct{}
}

func (e *slowEngine) RoundTrip(req *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var answer []byte
	if strings.Contains(string(text), "displayName") {
		if answer, err = hello(req); err != nil {
			return nil, err
		}
	} else {
		select {
		case <-e.release:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
		Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer))}, nil
}

// hello is the answer to the driver's opening question, at the revision it asks with.
func hello(req *http.Request) ([]byte, error) {
	var revision uint64
	if _, err := fmt.Sscan(req.URL.Query().Get("client_protocol_version"), &revision); err != nil {
		return nil, err
	}
	block := proto.NewBlock()
	for i, value := range []any{"slow", "26.7.2.1", uint32(0), "UTC"} {
		kind := column.Type("String")
		if i == 2 {
			kind = "UInt32"
		}
		if err := add(block, kind, value); err != nil {
			return nil, err
		}
	}
	var buf chproto.Buffer
	err := block.Encode(&buf, revision)
	return buf.Buf, err
}

func add(block *proto.Block, kind column.Type, value any) error {
	if err := block.AddColumn(fmt.Sprint("c", len(block.Columns)), kind); err != nil {
		return err
	}
	return block.Columns[len(block.Columns)-1].AppendRow(value)
}

func slowPool(t *testing.T) (clickhouse.Conn, func()) {
	t.Helper()
	rt := &slowEngine{release: make(chan struct{})}
	conn, err := clickhouse.Open(DefaultConfig().transportOptions(rt))
	if err != nil {
		t.Fatal(err)
	}
	return conn, sync.OnceFunc(func() { close(rt.release) })
}

// TestAStatementWaitsForItsTurn runs more statements than the pool has connections, each
// longer than dialling may take: nothing is wrong, so none may fail.
func TestAStatementWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, release := slowPool(t)
		done := make(chan error)
		for range poolConns + 1 {
			go func() { done <- conn.Exec(t.Context(), "SELECT 1") }()
		}
		select {
		case err := <-done:
			t.Errorf("a statement ended early: %v", err)
			release()
		case <-time.After(10 * dialTimeout):
			release()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for range poolConns {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestACallerDecidesHowLongItWaits is the other side: waiting for a turn ends with the
// caller's context.
func TestACallerDecidesHowLongItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, release := slowPool(t)
		done := make(chan error)
		for range poolConns {
			go func() { done <- conn.Exec(t.Context(), "SELECT 1") }()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := conn.Exec(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("ended after %s with %v", time.Since(began), err)
		}
		release()
		for range poolConns {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
}
