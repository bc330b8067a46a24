package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"

	"golang.org/x/sync/errgroup"

	"statewire/agent/credentials"
	"statewire/agent/transport"
	"statewire/smx"
)

// mostOpen bounds the connections that are kept open of clients that have one of their own: one takes some 50 KiB here,
// and as much at the relay.
const mostOpen = 1000

// identity is a client's own certificate, and the way to the relay on which it shows it.
type identity struct {
	*credentials.Credentials
	sender *transport.Sender
}

// identify gives a client its own way to the relay when it has a certificate, or is to enrol. Otherwise it shares the
// fleet's.
func (c *simulated) identify() error {
	f := c.fleet
	c.relay = f.relay
	in := f.stores.identity(c.machine.id.Client)
	kept, err := in.Load()
	if err != nil || f.cfg.Token == nil && kept.Certificate == nil {
		return err
	}
	own := &identity{}
	own.Credentials, err = credentials.Open(in, credentials.Options{Client: c.machine.id.Client, Serials: c.store,
		Log: f.clientLog})
	if err != nil {
		return err
	}
	address, err := url.Parse(f.cfg.Relay)
	if err != nil {
		return err
	}
	base := f.cfg.TLS
	if base == nil {
		base = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	if own.sender, err = transport.NewSender(f.cfg.Relay, own.TLS(base, address.Hostname()), 1); err != nil {
		return err
	}
	if shared, ok := f.relay.(*transport.Sender); ok {
		own.sender.Share(shared)
	}
	own.sender.Heed(own.Heed)
	own.OnChange(own.sender.Close)
	c.own, c.relay = own, own.sender
	return nil
}

// believe takes what a policy says of whom to believe.
func (c *simulated) believe(ca, document []byte) error {
	if c.own == nil {
		return nil
	}
	return c.own.Believe(ca, document)
}

// tend renews the client's certificate when that is due.
func (c *simulated) tend(ctx context.Context) error {
	if c.own == nil {
		return nil
	}
	_, err := c.own.Tend(ctx, c.own.sender)
	return err
}

// enrol gives every client that will say something its certificate.
func (f *Fleet) enrol(ctx context.Context) error {
	if f.cfg.Token == nil {
		return nil
	}
	f.log.Info("fleet enrols", "clients", len(f.clients)-f.silent)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.cfg.Senders)
	for _, c := range f.clients {
		if c.silentFor > 0 || c.own.Enrolled() {
			continue
		}
		g.Go(func() error { return c.enrol(ctx) })
	}
	return g.Wait()
}

func (c *simulated) enrol(ctx context.Context) error {
	f := c.fleet
	if ctx.Err() != nil {
		return nil
	}
	err := c.own.Enroll(ctx, credentials.Request{Relay: f.cfg.Relay, Token: *f.cfg.Token,
		NetBIOSName: c.machine.id.NetBIOSName, ClientVersion: c.machine.id.ClientVersion}, func(p credentials.Progress) {
		f.counts.retries.Add(1)
		f.counts.trouble.Store(&p.Problem)
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return fmt.Errorf("enrol %s: %w", c.machine.id.NetBIOSName, err)
	}
	f.counts.enrolled.Add(1)
	return nil
}

// open keeps account of a client that may have a connection of its own open, and closes that of another one when there
// are too many.
func (f *Fleet) open(c *simulated) {
	if c.own == nil {
		return
	}
	f.mu.Lock()
	if len(f.opened) < mostOpen {
		f.opened = append(f.opened, c)
		f.mu.Unlock()
		return
	}
	oldest := f.opened[f.oldest]
	f.opened[f.oldest] = c
	f.oldest = (f.oldest + 1) % mostOpen
	f.mu.Unlock()
	if oldest != c {
		oldest.own.sender.Close()
	}
}

// hangUp ends the connections of clients that have one of their own.
func (f *Fleet) hangUp() {
	for _, c := range f.clients {
		if c.own != nil {
			c.own.sender.Close()
		}
	}
}

// identityBucket is where in the file the clients' credentials are, by their ids.
const identityBucket = "identities"

// noted keeps a client's credentials in the fleet's file.
type noted struct {
	fs *Store
	id string
}

func (fs *Store) identity(client smx.ClientID) credentials.Store { return noted{fs, client.String()} }

// Load implements credentials.Store.
func (n noted) Load() (kept credentials.Kept, err error) {
	text, err := n.fs.file.Note(identityBucket, n.id)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return kept, fmt.Errorf("read the credentials of %s from %s: %w", n.id, n.fs.Path(), err)
	}
	return kept, nil
}

// Save implements credentials.Store.
func (n noted) Save(kept credentials.Kept) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return n.fs.file.PutNote(identityBucket, n.id, text)
}

// remembered keeps a client's credentials in memory.
type remembered struct {
	mu   sync.Mutex
	kept credentials.Kept // Guarded by mu.
}

func (r *remembered) Load() (credentials.Kept, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept, nil
}

func (r *remembered) Save(kept credentials.Kept) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = kept
	return nil
}

func (m *memoryStores) identity(smx.ClientID) credentials.Store { return &remembered{} }
