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

// callerOf reads whom a certificate was issued to.
func callerOf(leaf *x509.Certificate) (Caller, error) {
	if len(leaf.URIs) != 1 || leaf.URIs[0].Scheme != "urn" || !leaf.SerialNumber.IsUint64() {
		return Caller{}, fmt.Errorf("the certificate of %q is of no client and no role", leaf.Subject.CommonName)
	}
	c := Caller{Number: leaf.SerialNumber.Uint64(), NotAfter: leaf.NotAfter}
	parts := strings.Split(leaf.URIs[0].Opaque, ":")
	bad := fmt.Errorf("the certificate's name %.80q is none of this program's", leaf.URIs[0].String())
	if len(parts) < 4 || parts[0]+":" != urnPrefix {
		return Caller{}, bad
	}
	var err error
	if c.Site, err = canonical(parts[1]); err != nil {
		return Caller{}, bad
	}
	switch {
	case parts[2] == "client" && len(parts) == 4:
		if c.Client, err = canonical(parts[3]); err != nil {
			return Caller{}, bad
		}
	case parts[2] == "role" && len(parts) == 5 && slices.Contains(RoleKinds, parts[3]) && validRoleName(parts[4]):
		c.Role, c.Name = parts[3], parts[4]
	default:
		return Caller{}, bad
	}
	return c, nil
}

// canonical reads an id in its one spelling; the zero id is nobody's.
func canonical(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err == nil && (id.String() != text || id == uuid.Nil) {
		err = fmt.Errorf("%.40q is no canonical id", text)
	}
	return id, err
}

// validRoleName says whether a role may be called so: it stands in files and addresses.
func validRoleName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
	return name != "" && len(name) <= 64 && strings.Trim(name, allowed) == "" && strings.Trim(name, ".") != ""
}
