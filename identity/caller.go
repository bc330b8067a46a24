package identity

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// RoleKinds are the roles that have certificates of their own.
var RoleKinds = []string{"relay", "notifier", "fsp", "site"}

// urnPrefix begins the one URI that says whose a certificate is.
const urnPrefix = "statewire:"

// Caller is whom a certificate was issued to: a client, or a role of the site.
type Caller struct {
	Site     uuid.UUID
	Client   uuid.UUID // zero for a role
	Role     string    // one of RoleKinds; empty for a client
	Name     string    // of the role
	Number   uint64    // of the certificate; numbers of a site only grow
	NotAfter time.Time
}

// IsClient says whether the caller is a client, and no role.
func (c Caller) IsClient() bool { return c.Role == "" }

// Key names the caller in files and tables: GUID:… or role:KIND:NAME.
func (c Caller) Key() string {
	if c.IsClient() {
		return clientKey(c.Client)
	}
	return "role:" + c.Role + ":" + c.Name
}

// clientKey is a client's id as the site writes it everywhere.
func clientKey(id uuid.UUID) string { return "GUID:" + strings.ToUpper(id.String()) }

// urn is the URI in the caller's certificate.
func (c Caller) urn() *url.URL {
	what := "client:" + c.Client.String()
	if !c.IsClient() {
		what = "role:" + c.Role + ":" + c.Name
	}
	return &url.URL{Scheme: "urn", Opaque: urnPrefix + c.Site.String() + ":" + what}
}

// callerOf reads whom a certificate was issued to. It runs with every request.
func callerOf(leaf *x509.Certificate) (Caller, error) {
	if len(leaf.URIs) != 1 || leaf.URIs[0].Scheme != "urn" || !leaf.SerialNumber.IsUint64() {
		return Caller{}, fmt.Errorf("the certificate of %q is of no client and no role", leaf.Subject.CommonName)
	}
	c, ok := readName(leaf.URIs[0].Opaque)
	if !ok {
		return Caller{}, fmt.Errorf("the certificate's name %.80q is none of this program's", leaf.URIs[0].String())
	}
	c.Number, c.NotAfter = leaf.SerialNumber.Uint64(), leaf.NotAfter
	return c, nil
}

// readName is whom a name in a certificate means.
func readName(name string) (c Caller, ok bool) {
	name, ok = strings.CutPrefix(name, urnPrefix)
	site, name, ok2 := strings.Cut(name, ":")
	kind, name, ok3 := strings.Cut(name, ":")
	if !ok || !ok2 || !ok3 {
		return Caller{}, false
	}
	var err error
	if c.Site, err = canonical(site); err != nil {
		return Caller{}, false
	}
	switch kind {
	case "client":
		c.Client, err = canonical(name)
		return c, err == nil
	case "role":
		c.Role, c.Name, ok = strings.Cut(name, ":")
		return c, ok && slices.Contains(RoleKinds, c.Role) && validRoleName(c.Name)
	}
	return Caller{}, false
}

// canonical reads an id in its one spelling; the zero id is nobody's.
func canonical(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, err
	}
	if id.String() != text || id == uuid.Nil {
		return id, fmt.Errorf("%.40q is no canonical id", text)
	}
	return id, nil
}

// validRoleName says whether a role may be called so: it stands in files and addresses.
func validRoleName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return name != "" && len(name) <= 64 && strings.Trim(name, allowed) == "" && strings.Trim(name, ".") != ""
}
