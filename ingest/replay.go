package ingest

import (
	"context"

	"statewire/inbox"
	"statewire/smx"
)

// endReplayed tells the store that what a loaded file tries again has come to its end: before anything in corrupt
// changes, so that a crash repeats it and counts it once. again is what may be removed then. It is false when that
// failed.
func (p *pipeline) endReplayed(ctx, late context.Context, part *part, i int) (again *inbox.BadFile, ok bool) {
	s := &part.sources[i]
	b, there, err := part.claim.chunk.Replayed(s.file)
	if err != nil {
		p.log.Error("what is tried again cannot be looked at, trying later", "file", s.file.Name, "err", err)
		part.claim.chunk.Postpone(s.file)
		return nil, false
	}
	if !there {
		return nil, true
	}
	messages := 0
	for r := range part.reports(i) {
		messages += r.Messages + len(r.bad)
	}
	err = p.insist(ctx, late, size{files: 1}, func(ctx context.Context) error {
		known, err := endings(ctx, p.store.Conn(), []inbox.BadFile{b}, s.file.Name)
		if err != nil {
			return err
		}
		var ends ends
		ends.replayed(known[0], s.file.Name, messages)
		return p.insertTable(ctx, ends.table(p.now()))
	})
	if err != nil {
		if ctx.Err() == nil {
			p.log.Error("the end of what was set aside is not stored, trying later", "file", b.Name, "err", err)
			part.claim.chunk.Postpone(s.file)
		}
		return nil, false
	}
	return &b, true
}

// removeReplayed removes what was tried again from corrupt, unless records that are still bad took its place. False
// when that failed.
func (p *pipeline) removeReplayed(chunk *inbox.Chunk, s *source, again *inbox.BadFile, kept []inbox.Kept) bool {
	if again == nil {
		return true
	}
	for _, k := range kept {
		if k.Name == again.Name {
			return true
		}
	}
	if err := chunk.RemoveBad(*again); err != nil {
		p.log.Error("what was replayed cannot be deleted from corrupt, trying later", "file", again.Name, "err", err)
		chunk.Postpone(s.file)
		return false
	}
	p.log.Info("set-aside file replayed", "file", again.Name, "records", again.Number)
	p.corrupt.grow(-again.Disk)
	return true
}

// Replay puts what lies in corrupt, or a mended copy of it, into the inbox, and returns its name there. It stays in
// corrupt until the loader has stored it. The error is an *smx.Error when it would not load: then nothing has changed.
// A report keeps the time it first arrived at, and its receipt.
func Replay(dir *inbox.Dir, name string, mended []byte) (as string, err error) {
	b, err := dir.Bad(name)
	if err != nil {
		return "", err
	}
	doc := mended
	if doc == nil {
		if doc, err = dir.ReadBad(name); err != nil {
			return "", err
		}
	}
	var batch smx.Batch
	if err := smx.NewDecoder().Decode(doc, &batch); err != nil {
		return "", err
	}
	return dir.Replay(b, asItArrived(b, doc))
}

// asItArrived gives a bare report the frame of a relay-written file, when it is known when it arrived.
func asItArrived(b inbox.BadFile, doc []byte) []byte {
	if b.Reason.Received.IsZero() {
		return doc
	}
	checked, err := smx.NewDecoder().Check(doc)
	if err != nil {
		return doc // a relay-written file
	}
	return smx.AppendFile(nil, []smx.Accepted{{
		Client: checked.Client, Received: b.Reason.Received, Receipt: b.Reason.Receipt, Messages: checked.Messages,
		Body: checked.Body,
	}})
}
