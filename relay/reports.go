package relay

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

var contentTypeJSON = []string{"application/json"}

// serveReport takes one report and counts what became of it.
func (r *Relay) serveReport(w http.ResponseWriter, req *http.Request) *problem {
	began := time.Now()
	who, name, p := r.report(w, req)
	switch {
	case p == nil:
		r.metrics.accepted.Inc()
		r.refused.took(who, r.now())
	case p.Retry:
		r.metrics.later.Inc()
	default:
		r.metrics.refusedForGood.Inc()
	}
	r.metrics.seconds.Observe(time.Since(began).Seconds())
	if p != nil {
		r.refused.note(who, name, connOf(req).from, p, r.now())
	}
	return p
}

// report checks the report, makes it durable in the inbox, and then acknowledges it. It says whose report it was, as
// far as that is known, and of a refused one also the computer's name.
func (r *Relay) report(w http.ResponseWriter, req *http.Request) (who sender, name string, p *problem) {
	if p := r.admit(req); p != nil {
		return r.shownTo(req, p), "", p
	}
	caller, p := r.identify(req)
	who = sender{caller, caller != smx.ClientID{}}
	if p != nil {
		return who, "", p
	}
	d := r.pool.get()
	if d == nil {
		return who, "", overloaded()
	}
	defer r.pool.put(d)
	checked, p := r.take(w, req, d, caller)
	if !who.verified {
		who.client = checked.Client
	}
	if p == nil {
		r.acknowledge(w, d)
	}
	return who, checked.NetBIOSName, p
}

// shownTo is who was refused by the request's head alone: whom the certificate names.
func (r *Relay) shownTo(req *http.Request, p *problem) (who sender) {
	if r.cfg.Auth == AuthNone || r.callers == nil || !concerns(p) || r.shown(req) != nil {
		return who
	}
	caller, err := r.callers.Caller(req.TLS)
	if err != nil || !caller.IsClient() {
		return who
	}
	return sender{smx.ClientID(caller.Client), true}
}

// acknowledge writes the 202.
func (r *Relay) acknowledge(w http.ResponseWriter, d *delivery) {
	w.Header()["Content-Type"] = contentTypeJSON
	w.WriteHeader(http.StatusAccepted)
	d.answer = appendReceipt(d.answer[:0], d.report.Receipt, d.file, d.report.Messages)
	w.Write(d.answer)
	r.metrics.messages.Add(float64(d.report.Messages))
	if r.log.Enabled(context.Background(), slog.LevelDebug) {
		r.log.Debug("report taken", "client", d.report.Client.UUID(), "receipt", d.report.Receipt, "file", d.file, "messages",
			d.report.Messages)
	}
}

// admit decides on the request's head alone, before a byte of the body is asked for.
func (r *Relay) admit(req *http.Request) *problem {
	if p := r.shown(req); p != nil {
		return p
	}
	if p := knownFormat(req.Header); p != nil {
		return p
	}
	if limit := rawLimit(req.Header); req.ContentLength > limit {
		return tooLarge(limit)
	}
	if req.ContentLength == 0 {
		return refuse(codeEmptyBody, "the body is empty; a report was expected")
	}
	return r.gate.refusal()
}

// shown refuses callers that show no certificate where they must.
func (r *Relay) shown(req *http.Request) *problem {
	if r.cfg.Auth == AuthMTLS && (req.TLS == nil || len(req.TLS.PeerCertificates) == 0) {
		return refuse(codeNoIdentity, "this relay serves clients that show their certificate, and none was shown")
	}
	return nil
}

// identify says which client the caller is, and holds it to its rate before the body is read. The zero id is anybody.
func (r *Relay) identify(req *http.Request) (caller smx.ClientID, p *problem) {
	if r.cfg.Auth == AuthNone {
		return caller, nil
	}
	if r.callers == nil {
		return caller, refuse(codeUnknown, "this relay knows no clients yet")
	}
	who, err := r.callers.Caller(req.TLS)
	if err != nil {
		return smx.ClientID{}, notKnown(err)
	}
	if !who.IsClient() {
		return smx.ClientID{}, refuse(codeMismatch, "%s is no client, and this path is for clients", who.Key())
	}
	r.seen.note(who, connOf(req).from)
	caller = smx.ClientID(who.Client)
	return caller, r.rates.take(caller, r.now())
}

// noteStranger has it noted that a caller spoke for another client.
func (r *Relay) noteStranger(req *http.Request, claimed smx.ClientID) {
	if caller, err := r.callers.Caller(req.TLS); err == nil {
		r.seen.stranger(caller, claimed.String(), req.RemoteAddr, r.now())
	}
}

// take reads, checks and commits the report.
func (r *Relay) take(w http.ResponseWriter, req *http.Request, d *delivery, caller smx.ClientID) (smx.Checked,
	*problem) {
	if p := r.read(w, req, d); p != nil {
		return smx.Checked{}, p
	}
	checked, p := r.check(d, req.Header)
	if p != nil {
		return checked, p
	}
	if r.cfg.Auth == AuthNone {
		p = r.rates.take(checked.Client, r.now())
	} else if checked.Client != caller {
		r.log.Warn("report of another client refused", "caller", caller.UUID(), "client", checked.Client.UUID(), "remote",
			req.RemoteAddr)
		r.noteStranger(req, checked.Client)
		p = refuse(codeMismatch, "the report's ClientID is not the one that the caller's certificate was issued to")
	}
	if p != nil {
		return checked, p
	}
	d.lane = inbox.LaneFor(int(checked.Priority), checked.Priority != smx.NoPriority)
	d.report = smx.Accepted{Client: checked.Client, Received: r.now(), Receipt: newID(), Messages: checked.Messages,
		Body: checked.Body}
	if p := r.committer.deliver(d); p != nil {
		return checked, p
	}
	r.metrics.badRecords.Add(float64(checked.Bad))
	if checked.EncodingMismatch {
		r.metrics.mismatches.Inc()
	}
	return checked, nil
}

// check applies the loader's own rules, so that what is acknowledged loads.
func (r *Relay) check(d *delivery, header http.Header) (smx.Checked, *problem) {
	text := d.raw
	compressed := encodingOf(header)
	if len(d.raw) > lightBody || compressed != "" {
		r.pool.heavy <- struct{}{}
		defer func() { <-r.pool.heavy }()
	}
	if compressed != "" {
		if p := d.expand(compressed, rawLimit(header), r.memory); p != nil {
			return smx.Checked{}, p
		}
		text = d.text
	}
	decoder := r.pool.decoder()
	checked, err := decoder.Check(text)
	if err == nil {
		checked.Body = d.keep(checked.Body, text, r.memory)
	}
	r.pool.giveBack(decoder, len(text))
	var fault *smx.Error
	switch {
	case errors.As(err, &fault):
		return checked, notReport(fault)
	case err != nil:
		return checked, refuse(codeInternal, "the report could not be checked")
	}
	return checked, nil
}

// knownFormat refuses media types and encodings that no report has.
func knownFormat(header http.Header) *problem {
	switch kind := header["Content-Type"]; {
	case len(kind) == 0:
	case len(kind) == 1 && (kind[0] == "application/xml" || kind[0] == "text/xml"):
	default:
		media, _, err := mime.ParseMediaType(kind[0])
		if err != nil || len(kind) > 1 || !mayBeReport(media) {
			return refuse(codeMediaType,
				"accepted media types are application/xml, text/xml, anything ending in +xml, application/octet-stream, or none")
		}
	}
	if len(header["Content-Encoding"]) > 0 && encodingOf(header) == unknownEncoding {
		return refuse(codeEncoding, "accepted content encodings are gzip, zstd, identity, or none; one at a time")
	}
	return nil
}

// mayBeReport says whether a report may come under the media type. curl calls a file a form when nobody told it better,
// and what is a report is decided by its bytes.
func mayBeReport(media string) bool {
	switch media {
	case "application/xml", "text/xml", "application/octet-stream", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasSuffix(media, "+xml")
}

const unknownEncoding = "?"

// encodingOf is gzip, zstd or empty.
func encodingOf(header http.Header) string {
	values := header["Content-Encoding"]
	if len(values) == 0 {
		return ""
	}
	if len(values) > 1 {
		return unknownEncoding
	}
	switch strings.ToLower(strings.TrimSpace(values[0])) {
	case "", "identity":
		return ""
	case "gzip", "x-gzip":
		return "gzip"
	case "zstd":
		return "zstd"
	}
	return unknownEncoding
}

// rawLimit is the largest body before and after decompression: UTF-16 that says so may need twice the bytes.
func rawLimit(header http.Header) int64 {
	if kind := header["Content-Type"]; len(kind) == 1 && len(kind[0]) > len("application/xml") {
		if _, params, err := mime.ParseMediaType(kind[0]); err == nil && strings.HasPrefix(strings.ToLower(params["charset"]),
			"utf-16") {
			return smx.MaxRawBytes
		}
	}
	return smx.MaxReportBytes
}

func tooLarge(limit int64) *problem {
	return refuse(smx.CodeTooLarge, "a report may have %d bytes, compressed or not", limit)
}
