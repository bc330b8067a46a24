package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Next is the document that an administrator signs whose roots are elsewhere. A new task key is made for it; its
// private half stays here and is used once Load takes the signed document. Roots that are here sign at once.
func (k *Keys) Next(c Change) (*Document, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	held, err := lock(k.path(lockFile))
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if err := k.read(); err != nil {
		return nil, err
	}
	d, err := k.successor(k.document, c)
	if err != nil {
		return nil, err
	}
	if err := d.seal(); err != nil {
		return nil, err
	}
	_, err = signWith(d, k.dir)
	return d, err
}

// Load makes a signed document the site's. It must follow the present one by the rules that agents go by.
func (k *Keys) Load(envelope []byte) (*Document, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	held, err := lock(k.path(lockFile))
	if err != nil {
		return nil, err
	}
	defer held.Close()
	if err := k.read(); err != nil {
		return nil, err
	}
	d, err := Next(envelope, k.document)
	if err != nil {
		return nil, err
	}
	if d.Expired(k.now()) {
		return nil, fmt.Errorf("the document ended on %s; make a new one with `statewire trust next`",
			d.Expires.Format(time.DateOnly))
	}
	if d.taskEnd(k.has).IsZero() {
		return nil, errors.New("the document names no task key that is on this server; make a new one with " +
			"`statewire trust next`")
	}
	if err := writeDocument(k.dir, d); err != nil {
		return nil, err
	}
	if err := k.read(); err != nil {
		return nil, err
	}
	k.removeOldTaskKeys()
	k.log.Info("trust document loaded", "version", d.Version, "expires", d.Expires)
	return d, nil
}

// Change is what a next version has other than the one before.
type Change struct {
	Roots     []*Document // when not empty, its roots are those of these documents; their pack keys are added
	Packs     []*Document // their pack keys are added
	Threshold int         // 0 leaves it
	Drop      []string    // ids, or how they begin, of keys that are in it no more
}

func (c Change) apply(d *Document) error {
	if len(c.Roots) > 0 {
		d.Roots = nil
	}
	for _, from := range c.Roots {
		d.Roots = append(d.Roots, from.Roots...)
	}
	for _, from := range slices.Concat(c.Roots, c.Packs) {
		d.addPackKeys(from.PackKeys)
	}
	for _, prefix := range c.Drop {
		if err := d.drop(prefix); err != nil {
			return err
		}
	}
	if c.Threshold != 0 {
		d.Threshold = c.Threshold
	}
	return nil
}

// addPackKeys adds those that are not there yet.
func (d *Document) addPackKeys(keys []PackKey) {
	for _, key := range keys {
		if !slices.ContainsFunc(d.PackKeys, func(p PackKey) bool { return p.ID == key.ID }) {
			d.PackKeys = append(d.PackKeys, key)
		}
	}
}

// drop removes the one key whose id begins so.
func (d *Document) drop(prefix string) error {
	const least = 8 // hex digits: enough to mean one key
	begins := func(id string) bool { return len(prefix) >= least && strings.HasPrefix(id, prefix) }
	before := len(d.Roots) + len(d.PackKeys) + len(d.TaskKeys)
	d.Roots = slices.DeleteFunc(d.Roots, func(k Key) bool { return begins(k.ID) })
	d.PackKeys = slices.DeleteFunc(d.PackKeys, func(k PackKey) bool { return begins(k.ID) })
	d.TaskKeys = slices.DeleteFunc(d.TaskKeys, func(k TaskKey) bool { return begins(k.ID) })
	if before-len(d.Roots)-len(d.PackKeys)-len(d.TaskKeys) != 1 {
		return fmt.Errorf("%.80q is not how the id of one key begins, in 8 characters or more; `statewire trust show` "+
			"lists the keys", prefix)
	}
	return nil
}
