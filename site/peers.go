package site

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/internal/control"
)

// peerTimeout bounds the asking of another process of the site.
const peerTimeout = 2 * time.Second

// startPeer shows this process's metrics to the process that runs the reports, on a socket beside the role locks.
func (s *Site) startPeer(ctx context.Context, g *errgroup.Group) error {
	served := newCalls(identity.AtMetrics)
	served.Handle("/", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	handler, err := served.handler(s.cfg.Data)
	if err != nil {
		return err
	}
	ln, err := control.Listen(metricsPath(s.cfg.Data, s.cfg.Roles[0]))
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, handler)
	return nil
}

// peers gathers this process's metrics and those that the site's other processes have and this one lacks.
type peers struct {
	own prometheus.Gatherer
	dir string
}

// Gather asks every process anew; one that does not answer is left out, and its metrics are missing.
func (p peers) Gather() ([]*dto.MetricFamily, error) {
	families, err := p.own.Gather()
	if err != nil {
		return families, err
	}
	have := make(map[string]bool, len(families))
	for _, family := range families {
		have[family.GetName()] = true
	}
	sockets, err := filepath.Glob(filepath.Join(p.dir, "*"+metricsSocket))
	split, err2 := filepath.Glob(filepath.Join(p.dir, "*", "*"+metricsSocket))
	if err := errors.Join(err, err2); err != nil {
		return families, err
	}
	for _, socket := range append(sockets, split...) {
		for name, family := range scrape(socket) {
			if strings.HasPrefix(name, "statewire_") && !have[name] {
				have[name] = true
				families = append(families, family)
			}
		}
	}
	return families, nil
}

// scrape reads the metrics behind a socket, none when nobody answers.
func scrape(socket string) map[string]*dto.MetricFamily {
	resp, err := socketClient(socket).Get("http://statewire/metrics")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil
	}
	return families
}

// socketClient asks the process behind a socket, once.
func socketClient(socket string) *http.Client {
	transport := control.Transport(socket)
	transport.DisableKeepAlives = true
	return &http.Client{Timeout: peerTimeout, Transport: transport}
}

// Listens says whether a process answers on a socket.
func Listens(path string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), peerTimeout)
	defer cancel()
	conn, err := control.Dial(ctx, path)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
