package trust

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
)

func pin(key, root string) Pin {
	return PinOf(&x509.Certificate{RawSubjectPublicKeyInfo: []byte(key)}, []string{root})
}

func TestATokenIsReadAsItWasWritten(t *testing.T) {
	made := NewToken(pin("key", "root"))
	text := made.String()
	if got, err := ParseToken(" \n" + text + "\r\n"); err != nil || got != made {
		t.Errorf("%v, %v", got.ID, err)
	}
	if other := NewToken(made.Pin); other.Secret == made.Secret || other.ID == made.ID {
		t.Error("two tokens are alike")
	}
	if strings.Contains(fmt.Sprintf("%#v", made), strings.Split(text, ".")[2][:8]) {
		t.Error("a printed token shows its secret")
	}
	for name, bad := range map[string]string{
		"nothing": "", "another kind": "swt_A_B", "another version": "swe2" + text[4:], "cut": text[:len(text)-1],
		"a part too many": text + ".x", "a part too few": text[:strings.LastIndex(text, ".")],
		"padded": text + "=", "an id too short": "swe1.ABCDEFG" + text[13:], "lower case": "swe1." +
			strings.ToLower(made.ID) + text[13:] + "x",
		"the two parts exchanged": "swe1." + made.ID + "." + strings.Split(text, ".")[3] + "." + strings.Split(text, ".")[2],
	} {
		_, err := ParseToken(bad)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), strings.Split(text, ".")[2]) {
			t.Errorf("%s: the error shows the secret", name)
		}
	}
}

// The pin depends on the authority's key and on each root, and not on the order in which the roots come.
func TestAPinIsOfTheKeys(t *testing.T) {
	ca := &x509.Certificate{RawSubjectPublicKeyInfo: []byte("key")}
	roots := []string{"b", "a"}
	if PinOf(ca, roots) != PinOf(ca, []string{"a", "b"}) || roots[0] != "b" {
		t.Error("the order matters, or was changed")
	}
	base := pin("key", "root")
	if p := pin("other", "root"); p.CA == base.CA || p.Roots != base.Roots {
		t.Error("the authority's key is not in its half alone")
	}
	if p := pin("key", "other"); p.CA != base.CA || p.Roots == base.Roots {
		t.Error("the roots are not in their half alone")
	}
	if PinOf(ca, []string{"ab", "c"}) == PinOf(ca, []string{"a", "bc"}) {
		t.Error("ids run into each other")
	}
}
