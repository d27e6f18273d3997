package archive

import (
	"context"

	"speedlayer/internal/objects"
)

// NewSnapshot returns a reader that has seen an older manifest.
func NewSnapshot(m *Manifest, o objects.Store) *Snapshot { return &Snapshot{Manifest: m, objects: o} }

// KeepManifests is how many manifests are kept.
const KeepManifests = keepManifests

// Names returns the files that a manifest names.
func Names(m *Manifest) map[string]bool {
	n := *m
	n.Retired = nil
	return n.names()
}

// CompactSome does the same as Run: it rewrites at most so many outdated files.
func (a *Archiver) CompactSome(ctx context.Context, rewrites int) (*Manifest, error) {
	return a.compact(ctx, rewrites)
}
