// Package local is the agent's socket: through it the commands and programs of this machine, and nobody else, ask and
// tell the agent. What it has answered to a request to record is on disk.
package local

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/credentials"
)

const (
	readTimeout  = 10 * time.Second // a request, from its first byte to its last
	headTimeout  = 2 * time.Second  // a caller on this machine that says nothing for so long holds a place of others
	writeTimeout = 5 * time.Minute  // an answer: each tool that a scan runs may take two
	stopTimeout  = 5 * time.Second
	headerBytes  = 8 << 10
)

// operated is the agent as its local commands see it.
type operated interface {
	Raise(states ...cache.State) error
	SendNow()
	Resend() error
	AcceptSerial(next uint64) error
	Status() (agent.Status, error)
	Messages(topicTypes ...uint32) (agent.Messages, error)
	Sent() ([]cache.Sent, error)
	AsReport() ([]byte, error)
	Trace(serial uint64) (cache.Sent, bool, error)
}

// scanner looks for changes of the machine when somebody asks.
type scanner interface {
	Scan(ctx context.Context) (agent.ScanResult, error)
	// State is how the last scan stands, by what the agent holds; nil before the first.
	State(all agent.Messages) *agent.ScanState
}

// identity is what proves who the client is.
type identity interface {
	Status() credentials.Status
	Enroll(ctx context.Context, r credentials.Request, tell func(credentials.Progress)) error
}

// connection is the client's fast channel.
type connection interface {
	Status() channel.Status
}

// About is what a machine's agent says of itself beside its status.
type About struct {
	Host    string
	Version string
	Relay   string // the configured one
	Fixed   bool   // the configuration names the client's id
}

// Server answers the commands and programs of this machine: JSON over HTTP on a socket that only the agent's user can
// open. What it has answered to a request to record is on disk.
type Server struct {
	agent   operated
	scanner scanner
	own     identity
	channel connection
	tasks   tasker // nil: none are done
	about   About
	started time.Time
	log     *slog.Logger
	renew   chan struct{} // closed once somebody asked for a new client id

	renewing sync.Once
}

// New returns the socket's side of an agent. Nothing listens until Serve.
func New(a *agent.Agent, scanner scanner, own identity, channel connection, about About, log *slog.Logger) *Server {
	return &Server{agent: a, scanner: scanner, own: own, channel: channel, about: about, started: time.Now(), log: log,
		renew: make(chan struct{})}
}

// Serve answers until ctx ends, then lets what is in hand finish.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: headTimeout, MaxHeaderBytes: headerBytes, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close()
		}
		stopped <- nil
	})
	err := server.Serve(netutil.LimitListener(ln, maxCallers))
	if stop() { // it ended by itself
		return fmt.Errorf("answer the agent's commands: %w", err)
	}
	return <-stopped
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/states", s.raise)
	mux.HandleFunc("POST /v1/send", s.send)
	mux.HandleFunc("POST /v1/resend", s.resend)
	mux.HandleFunc("POST /v1/scan", s.scan)
	mux.HandleFunc("POST /v1/accept-serial", s.acceptSerial)
	mux.HandleFunc("POST /v1/new-id", s.newID)
	mux.HandleFunc("POST /v1/enroll", s.enroll)
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/messages", s.messages)
	mux.HandleFunc("GET /v1/messages/{serial}", s.trace)
	mux.HandleFunc("GET /v1/report", s.report)
	mux.HandleFunc("GET /v1/tasks", s.listTasks)
	return mux
}
