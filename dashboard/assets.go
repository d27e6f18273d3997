package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed web
var files embed.FS

// asset is one file in the form in which it is sent: its bytes, the same bytes packed
// (nil if packing does not help), and the values of its headers.
type asset struct {
	body   []byte
	packed []byte
	kind   string // Content-Type
	etag   string // strong, of the plain bytes: the quoted hash
	etagGz string // of the packed bytes: another representation, so another tag
}

// bundle is all files of the page, by name below /assets/, and their common version: a
// hash over every name and its content. With the version in it, an address always
// stands for the same content. So browsers may keep it, and modules of two versions
// never meet on one page.
type bundle struct {
	page    asset
	named   map[string]asset
	version string
}

// types lists the types of the files that web/ may contain. A file of another type
// fails the load, and so the tests, rather than leaving a browser to guess.
var types = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
	".md":    "text/markdown; charset=utf-8",
}

// load reads the embedded files. fsys has web/ at its root.
func load(fsys fs.FS) (*bundle, error) {
	b := &bundle{named: map[string]asset{}}
	var page []byte
	all := sha256.New()
	err := fs.WalkDir(fsys, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%s %d\n", name, len(body))
		all.Write(body)
		name = strings.TrimPrefix(name, "web/")
		if name == "index.html" {
			page = body
			return nil
		}
		b.named[name], err = newAsset(name, body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	b.version = hex.EncodeToString(all.Sum(nil))[:12]
	page = bytes.ReplaceAll(page, []byte("{{assets}}"), []byte("/assets/"+b.version))
	b.page, err = newAsset("index.html", page)
	return b, err
}

// newAsset packs and hashes one file.
func newAsset(name string, body []byte) (asset, error) {
	kind, ok := types[path.Ext(name)]
	if !ok {
		return asset{}, fmt.Errorf("dashboard: no content type for %s", name)
	}
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:])[:20]
	a := asset{body: body, kind: kind, etag: `"` + tag + `"`, etagGz: `"` + tag + `-gz"`}
	if path.Ext(name) == ".woff2" {
		return a, nil // already packed
	}
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return asset{}, err
	}
	if _, err := w.Write(body); err != nil {
		return asset{}, err
	}
	if err := w.Close(); err != nil {
		return asset{}, err
	}
	if buf.Len() < len(body) {
		a.packed = buf.Bytes()
	}
	return a, nil
}
