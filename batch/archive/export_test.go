package archive

import (
	"context"

	"speedlayer/internal/objects"
)

// NewSnapshot is a reader that has seen an older manifest.
func NewSnapshot(m *Manifest, o objects.Store) *Snapshot { return &Snapshot{Manifest: m, objects: o} }

// KeepManifests is how many are kept.
const KeepManifests = keepManifests

// Names are the files that a manifest names.
func Names(m *Manifest) map[string]bool {
	n := *m
	n.Retired = nil
	return n.names()
}

// CompactSome is what Run does: it writes at most so many outdated files again.
func (a *Archiver) CompactSome(ctx context.Context, rewrites int) (*Manifest, error) {
	return a.compact(ctx, rewrites)
}
