package smx_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tdewolff/parse/v2"
	lexer "github.com/tdewolff/parse/v2/xml"

	"statewire/smx"
)

// benchReport is an ordinary report of n messages, some 265 bytes each behind
// a header of some 585.
func benchReport(n int) []byte {
	r := smx.Report{Header: smx.Header{
		Client: smx.ClientID{0xF1, 0xB0, 0x30, 0x89, 14: 1}, ClientInstalled: 1, ClientType: 1,
		ClientVersion: "4.00.6487.2000",
		NetBIOSName:   "STEVERAC64-2", CodePage: "437", LCID: 1033, Priority: smx.NoPriority, Date: benchTime,
	}}
	for i := range n {
		r.Messages = append(r.Messages, smx.Message{
			Time: benchTime.Add(time.Duration(i) * time.Second), Serial: uint64(1431 + i),
			TopicType: 500, TopicID: fmt.Sprintf("21e49ac6-a273-4a61-9794-eb675bc7%04x", i), TopicIDType: 3,
			StateID: 2, Params: []string{"102"},
		})
	}
	return smx.AppendReport(nil, &r)
}

var benchTime = time.Date(2011, 1, 7, 18, 30, 46, 153_000_000, time.UTC)

// plainReport is the report as encoding/xml reads it.
type plainReport struct {
	XMLName xml.Name `xml:"Report"`
	Client  string   `xml:"ReportHeader>Identification>Machine>ClientID"`
	Version string   `xml:"ReportHeader>Identification>Machine>ClientVersion"`
	Name    string   `xml:"ReportHeader>Identification>Machine>NetBIOSName"`
	Content string   `xml:"ReportHeader>ReportDetails>ReportContent"`
	Date    string   `xml:"ReportHeader>ReportDetails>Date"`

	Messages []struct {
		Time   string `xml:"MessageTime,attr"`
		Serial uint64 `xml:"SerialNumber,attr"`
		Topic  struct {
			ID     string `xml:"ID,attr"`
			Type   uint32 `xml:"Type,attr"`
			IDType uint16 `xml:"IDType,attr"`
		}
		State struct {
			ID          uint32 `xml:"ID,attr"`
			Criticality uint32 `xml:"Criticality,attr"`
		}
		Details string   `xml:"StateDetails"`
		Params  []string `xml:"UserParameters>Param"`
	} `xml:"ReportBody>StateMessage"`
}

// interleave runs two contenders in short turns and returns the median time of
// one run of either: neighbours on the machine hit both alike.
func interleave(rounds int, ours, theirs func()) (our, their time.Duration) {
	times := [2][]time.Duration{}
	for range rounds {
		for i, run := range []func(){ours, theirs} {
			start := time.Now()
			run()
			times[i] = append(times[i], time.Since(start))
		}
	}
	for i := range times {
		slices.Sort(times[i])
	}
	return times[0][rounds/2], times[1][rounds/2]
}

// decodeFor decodes doc again and again until it has read n bytes.
func decodeFor(b *testing.B, d *smx.Decoder, into *smx.Batch, doc []byte, n int) {
	for done := 0; done < n; done += len(doc) {
		if into.Len() >= 100_000 {
			into.Reset()
		}
		if err := d.Decode(doc, into); err != nil {
			b.Fatal(err)
		}
	}
}

// readInto reads a file into a buffer that is used again, as the loader does.
func readInto(b *testing.B, buf []byte, name string) {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadFull(f, buf); err != nil {
		b.Fatal(err)
	}
}

func perByte(d time.Duration, n int) float64 { return float64(d) / float64(n) }

// BenchmarkRatioDecoderToEncodingXML: hot decoder to columns against
// encoding/xml Unmarshal, reports of ten messages, one core.
func BenchmarkRatioDecoderToEncodingXML(b *testing.B) {
	doc := benchReport(10)
	d, into := smx.NewDecoder(), &smx.Batch{}
	const ours, theirs = 4 << 20, 256 << 10
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	decodeFor(b, d, into, doc, 128<<20) // warm
	for b.Loop() {
		our, their := interleave(101, func() { decodeFor(b, d, into, doc, ours) }, func() {
			for done := 0; done < theirs; done += len(doc) {
				var r plainReport
				if err := xml.Unmarshal(doc, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.ReportMetric(perByte(their, theirs)/perByte(our, ours), "ratio")
		b.ReportMetric(1e3/perByte(our, ours), "ours-MB/s")
		b.ReportMetric(1e3/perByte(their, theirs), "theirs-MB/s")
		b.ReportMetric(1e3/perByte(our, ours)*10/float64(len(doc)), "ours-Mmsg/s")
	}
}

// BenchmarkRatioDecoderToLexer: the same against the bare token lexer of
// tdewolff/parse, which checks nothing and makes no rows. It tells why the
// decoder scans by itself.
func BenchmarkRatioDecoderToLexer(b *testing.B) {
	doc := benchReport(10)
	d, into := smx.NewDecoder(), &smx.Batch{}
	const size = 4 << 20
	decodeFor(b, d, into, doc, 32*size)
	for b.Loop() {
		our, their := interleave(101, func() { decodeFor(b, d, into, doc, size) }, func() {
			for done := 0; done < size; done += len(doc) {
				l := lexer.NewLexer(parse.NewInputBytes(doc))
				for {
					if kind, _ := l.Next(); kind == lexer.ErrorToken {
						break
					}
				}
			}
		})
		b.ReportMetric(perByte(their, size)/perByte(our, size), "ratio")
		b.ReportMetric(1e3/perByte(our, size), "ours-MB/s")
		b.ReportMetric(1e3/perByte(their, size), "theirs-MB/s")
	}
}

// BenchmarkRatioDecoderToLibxml2: hot decoder against libxml2's SAX2 parser
// with empty callbacks, one document of 26 MB. The start of the process is
// measured on a tiny document and taken off.
func BenchmarkRatioDecoderToLibxml2(b *testing.B) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		b.Skip("xmllint is not installed")
	}
	one := benchReport(10_000)
	body := one[len(smx.DeclarationUTF8):]
	reports := make([]smx.Accepted, 0, 10)
	for range 10 {
		reports = append(reports, smx.Accepted{Client: smx.ClientID{0xF1, 0xB0, 0x30, 0x89, 14: 1}, Received: benchTime,
			Messages: 10_000, Body: body})
	}
	doc := smx.AppendFile(nil, reports)
	dir := b.TempDir()
	large, tiny := filepath.Join(dir, "large.xml"), filepath.Join(dir, "tiny.xml")
	if err := os.WriteFile(large, doc, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(tiny, []byte("<a/>"), 0o600); err != nil {
		b.Fatal(err)
	}
	lint := func(file string) func() {
		return func() {
			if out, err := exec.Command(xmllint, "--sax", "--noout", "--huge", file).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	}
	d, into, buf := smx.NewDecoder(), &smx.Batch{}, make([]byte, len(doc))
	decodeFor(b, d, into, doc, 2*len(doc))
	for b.Loop() {
		our, their := interleave(7, func() {
			readInto(b, buf, large)
			into.Reset()
			decodeFor(b, d, into, buf, len(buf))
		}, lint(large))
		_, start := interleave(7, func() {}, lint(tiny))
		their -= start
		b.ReportMetric(float64(their)/float64(our), "ratio")
		b.ReportMetric(1e3/perByte(our, len(doc)), "ours-MB/s")
		b.ReportMetric(1e3/perByte(their, len(doc)), "theirs-MB/s")
	}
}

// BenchmarkDecode, BenchmarkCheck and BenchmarkDecodeUTF16 report the speed of
// one report of ten messages.
func BenchmarkDecode(b *testing.B) { benchDecode(b, benchReport(10)) }

func BenchmarkDecodeUTF16(b *testing.B) { benchDecode(b, smx.EncodeUTF16(nil, benchReport(10), false)) }

func BenchmarkDecodePretty(b *testing.B) {
	benchDecode(b, bytes.ReplaceAll(benchReport(10), []byte("><"), []byte(">\r\n  <")))
}

func benchDecode(b *testing.B, doc []byte) {
	d, into := smx.NewDecoder(), &smx.Batch{}
	decodeFor(b, d, into, doc, 64<<20)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		decodeFor(b, d, into, doc, 1)
	}
}

func BenchmarkCheck(b *testing.B) {
	doc := benchReport(10)
	d := smx.NewDecoder()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Check(doc); err != nil {
			b.Fatal(err)
		}
	}
}
