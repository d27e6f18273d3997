package views

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// run.json is two lines: a JSON object, and the XXH3 checksum of its bytes in
// hex.
const (
	MetaName = "run.json"
	format   = 1
)

// meta is the content of run.json.
type meta struct {
	Format int               `json:"format"`
	Run    store.Run         `json:"run"`
	Parts  int               `json:"parts"`
	Tables []file            `json:"tables"` // by part, then kind
	Person file              `json:"persons"`
	Info   map[string]string `json:"info,omitempty"` // for people; see Writer.Finish
}

// file is one file of the run.
type file struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Sum   string `json:"xxh3"` // of all its bytes, in hex
}

func sumText(sum uint64) string { return strconv.FormatUint(sum, 16) }

// measure reads a file and returns its entry for run.json.
func measure(fs vfs.FS, dir, name string) (file, error) {
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return file{}, err
	}
	h := xxh3.New()
	n, err := io.CopyBuffer(h, onlyReader{f}, make([]byte, 256<<10))
	if err := errors.Join(err, f.Close()); err != nil {
		return file{}, fmt.Errorf("%s: %w", fs.PathJoin(dir, name), err)
	}
	return file{name, n, sumText(h.Sum64())}, nil
}

// onlyReader hides the other methods of a file from io.Copy.
type onlyReader struct{ io.Reader }

// writeMeta makes the directory a complete run.
func writeMeta(fs vfs.FS, dir string, m *meta) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	text = append(append(text, sumText(xxh3.Hash(text))...), '\n')
	temporary := fs.PathJoin(dir, MetaName+".tmp")
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if err := finish(f, text); err != nil {
		return err
	}
	if err := fs.Rename(temporary, fs.PathJoin(dir, MetaName)); err != nil {
		return err
	}
	return SyncDir(fs, dir)
}

func readMeta(fs vfs.FS, dir string) (*meta, error) {
	name := fs.PathJoin(dir, MetaName)
	f, err := fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("batch views: no complete run in %s: %w", dir, err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("batch views: %s: %w", name, err)
	}
	text, sum, found := bytes.Cut(b, []byte("\n"))
	if !found || string(sum) != sumText(xxh3.Hash(b[:len(text)+1]))+"\n" {
		return nil, fmt.Errorf("batch views: %s: %w: its checksum is not that of its text", name, store.ErrCorrupt)
	}
	m := &meta{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("batch views: %s: %w: %w", name, store.ErrCorrupt, err)
	}
	if m.Format != format {
		return nil, fmt.Errorf("batch views: %s: format %d: allowed is %d", name, m.Format, format)
	}
	if m.Parts < 1 || len(m.Tables) != m.Parts*kinds {
		return nil, fmt.Errorf("batch views: %s: %w: %d parts with %d tables", name, store.ErrCorrupt, m.Parts, len(m.Tables))
	}
	return m, nil
}

// finish writes b, syncs and closes f.
func finish(f vfs.File, b []byte) error {
	_, err := f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// SyncDir makes the names in a directory durable.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
