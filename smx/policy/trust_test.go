package policy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"statewire/smx"
)

// authorities are certificates in PEM.
func authorities(t testing.TB, n int) []byte {
	t.Helper()
	var text []byte
	for i := range n {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotAfter: time.Now().Add(time.Hour), IsCA: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return bytes.TrimSpace(text)
}

const envelope = `{"payload":"eyJ2ZXJzaW9uIjoxfQ==","payloadType":"x/<&>\u00e9é","signatures":[]}`

func TestTrustIsReadAsItWasWritten(t *testing.T) {
	for name, want := range map[string]*Trust{
		"both":            {CA: authorities(t, 2), Document: []byte(envelope)},
		"authorities":     {CA: authorities(t, 1)},
		"a document":      {Document: []byte(envelope)},
		"nothing of them": nil,
	} {
		p := fullPolicy
		p.Trust = want
		doc := Encode(p)
		for form, text := range map[string][]byte{"UTF-8": doc, "UTF-16": smx.EncodeUTF16(nil, doc, false)} {
			if got, err := Decode(text); err != nil || !reflect.DeepEqual(got, p) {
				t.Errorf("%s in %s: %v\n%s", name, form, err, doc)
			}
		}
	}
}

// White space around the texts, line ends of another system and what only later programs know change nothing.
func TestTrustAsPeopleAndLaterSitesWriteIt(t *testing.T) {
	ca := authorities(t, 2)
	p := Document{Client: fullPolicy.Client, Trust: &Trust{CA: ca, Document: []byte(envelope)}}
	doc := string(Encode(p))
	for name, changed := range map[string]string{
		"white space":        strings.NewReplacer("<CA>", "<CA>\n\t ", "</Document>", "\n  </Document>").Replace(doc),
		"lines of Windows":   strings.ReplaceAll(doc, "\n", "\r\n"),
		"an unknown element": strings.Replace(doc, "<CA>", `<Later a="1">x</Later><CA>`, 1),
		"CDATA": strings.Replace(doc, doc[strings.Index(doc, "<Document>"):strings.Index(doc, "</Document>")],
			"<Document><![CDATA["+envelope+"]]>", 1),
	} {
		if changed == doc {
			t.Fatalf("%s: nothing was changed", name)
		}
		if got, err := Decode([]byte(changed)); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s: %+v, %v", name, got.Trust, err)
		}
	}
}

// Half of whom to believe is worse than nothing: it locks a client out.
func TestATrustThatCannotBeReadRefusesThePolicy(t *testing.T) {
	ca := string(authorities(t, 1))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key")}))
	for name, c := range map[string]struct{ inner, want string }{
		"nothing in it":              {"", "neither CA nor Document"},
		"an empty CA":                {"<CA> </CA>", "CA of Trust has 0 bytes"},
		"two of them":                {"<CA>" + ca + "</CA><CA>" + ca + "</CA>", "a second CA"},
		"a key beside a certificate": {"<CA>" + ca + "\n" + key + "</CA>", "not certificates"},
		"words before it":            {"<CA>this is it:\n" + ca + "</CA>", "not certificates"},
		"words behind it":            {"<CA>" + ca + "\nthat was it</CA>", "not certificates"},
		"a certificate that is none": {"<CA>-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----</CA>",
			"not certificates"},
		"cut by a comment":  {"<CA>" + ca + "<!-- -->\n" + ca + "</CA>", "CA of Trust holds more than text"},
		"an element within": {"<Document><b/>{}</Document>", "Document of Trust holds more than text"},
		"no JSON":           {"<Document>{</Document>", "no JSON"},
		"too long":          {`<Document>"` + strings.Repeat("x", MaxTrustBytes) + `"</Document>`, "too long"},
		"two of the whole":  {"<Document>{}</Document></Trust><Trust><Document>{}</Document>", "a second Trust"},
		"a header in the PEM": {"<CA>" + strings.Replace(ca, "-----\n", "-----\nA: b\n\n", 1) + "</CA>",
			"not certificates"},
	} {
		doc := strings.Replace(string(Encode(Document{Client: fullPolicy.Client, Relay: "x"})), "</Policy>",
			"<Trust>"+c.inner+"</Trust></Policy>", 1)
		if _, err := Decode([]byte(doc)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one about %s", name, err, c.want)
		}
	}
	exact := `<Document>"` + strings.Repeat("x", MaxTrustBytes-2) + `"</Document>`
	doc := strings.Replace(string(Encode(Document{Relay: "x"})), "</Policy>", "<Trust>"+exact+"</Trust></Policy>", 1)
	if p, err := Decode([]byte(doc)); err != nil || len(p.Trust.Document) != MaxTrustBytes {
		t.Errorf("at the bound: %v", err)
	}
}
