package simulate

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"statewire/collections"
	"statewire/fleet"
	"statewire/reports/names"
	"statewire/site"
	"statewire/smx"
)

// namesFile is where a demo's names lie beside its data, as an administrator would keep them.
const namesFile = "demo-names.csv"

// name does what an administrator would: it puts the clients into collections, and names the updates and deployments
// with a file. What a demo of before named stays.
func (g *commands) name(ctx context.Context, f *fleet.Fleet) error {
	made, err := g.makeCollections(ctx, f.Collections())
	if err != nil || !made {
		return err
	}
	text := namesText(f.Names(time.Now()))
	path := filepath.Join(g.Data, namesFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the demo's names: %w", err)
	}
	var read names.Reader
	if err := read.Read(namesFile, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("read the demo's names: %w", err)
	}
	if _, err := names.Dial(site.ResyncSocket(g.Data)).Load(ctx, read.List(), names.Options{}); err != nil {
		return fmt.Errorf("load the demo's names: %w", err)
	}
	return nil
}

// makeCollections makes those that are not there and says whether it made any.
func (g *commands) makeCollections(ctx context.Context, all map[string][]smx.ClientID) (made bool, err error) {
	role := collections.Dial(site.ResyncSocket(g.Data))
	there, err := role.List(ctx)
	if err != nil {
		return false, fmt.Errorf("look for the demo's collections: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(there, func(c collections.Collection) bool { return c.Name == name }) {
			continue
		}
		if _, err := role.Create(ctx, collections.Spec{Name: name, Clients: all[name]}); err != nil {
			return false, fmt.Errorf("make the demo's collection %s: %w", name, err)
		}
		made = true
	}
	return made, nil
}

// namesText is a file of names, as `statewire names load` takes it.
func namesText(all []fleet.Name) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"topic_id", "title", "kind", "article", "severity", "released", "group", "target"}}
	for _, n := range all {
		released := ""
		if !n.Released.IsZero() {
			released = n.Released.Format(time.DateOnly)
		}
		rows = append(rows, []string{n.TopicID, n.Title, n.Kind, n.Article, n.Severity, released, n.Group, n.Target})
	}
	_ = w.WriteAll(rows) // into memory
	return out.Bytes()
}
