// Package web turns answers into pages: server-rendered templates with a little script for what moves. A page never
// loads anything from elsewhere, and never runs script or style that stands inside it: whatever a client wrote into
// its report can only ever be text.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"

	"statewire/internal/humanize"
)

// ContentSecurityPolicy goes with every page. Pico.css draws its form icons from data: images.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

//go:embed templates/*.html
var templates embed.FS

// Pages renders the templates.
type Pages struct {
	// Constant after New.
	set     *template.Template
	version string
	notice  func() string
}

// New parses the templates. A notice stands on top of every page, as it is when the page is made; none when it is nil
// or empty.
func New(version string, notice func() string) (*Pages, error) {
	if notice == nil {
		notice = func() string { return "" }
	}
	set, err := template.New("").Funcs(template.FuncMap{
		"asset": asset, "number": humanize.Number, "label": Label, "clock": humanize.Clock, "iso": ISO, "pieces": Pieces, "ago": ago,
	}).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse page templates: %w", err)
	}
	return &Pages{set: set, version: version, notice: notice}, nil
}

// Page is what every page needs around its content.
type Page struct {
	Title   string
	Section string // which entry of the menu is the current one: dashboard, completeness, operations or reports
	Find    string // what the search box holds
	Version string // set by Render
	Notice  string // set by Render
	Alarm   string // what is wrong with the site; empty shows none
	Then    *Then  // the moment that the page is about; nil is now
	Age     Age    // of all that the page shows
	Body    any
}

// Render writes a whole page; name is that of its template.
func (p *Pages) Render(w io.Writer, name string, page Page) error {
	page.Version, page.Notice = p.version, p.notice()
	return p.execute(w, name, page)
}

// Part writes a part of a page by itself; name is that of its template.
func (p *Pages) Part(w io.Writer, name string, part any) error { return p.execute(w, name, part) }

// execute renders into memory first: a template that fails leaves no half page.
func (p *Pages) execute(w io.Writer, name string, data any) error {
	var out bytes.Buffer
	if err := p.set.ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	_, err := out.WriteTo(w)
	return err
}
