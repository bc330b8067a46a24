package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static vendor
var files embed.FS

// assets are the files by name, with a mark of their content: read once, never changed.
var assets = sync.OnceValue(func() map[string]assetFile {
	out := map[string]assetFile{}
	for _, folder := range []string{"static", "vendor"} {
		entries, err := fs.ReadDir(files, folder)
		if err != nil {
			continue // an embedded folder is always there
		}
		for _, e := range entries {
			if body, err := fs.ReadFile(files, folder+"/"+e.Name()); err == nil {
				sum := sha256.Sum256(body)
				out[e.Name()] = assetFile{body, hex.EncodeToString(sum[:6])}
			}
		}
	}
	return out
})

type assetFile struct {
	body []byte
	mark string
}

// asset is a file's address; it changes with the content, so that browsers may keep it for ever.
func asset(name string) string { return "/static/" + name + "?v=" + assets()[name].mark }

// Static serves the style sheets, scripts, icon and licence texts.
func Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := assets()[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", mediaType(r.URL.Path))
		h.Set("ETag", `"`+file.mark+`"`)
		h.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == file.mark {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		if r.Header.Get("If-None-Match") == `"`+file.mark+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(file.body) // the caller has gone
	})
}

// mediaType doesn't ask the machine's own table, which may call a script something else.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}
