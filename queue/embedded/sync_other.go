//go:build !linux

package embedded

import "github.com/twmb/franz-go/pkg/kfake"

// directorySync leaves syncing to the broker, batch by batch, where there is no
// call that syncs a whole file system.
type directorySync struct{}

func openSync(string) (*directorySync, []kfake.Opt, error) {
	return &directorySync{}, []kfake.Opt{kfake.SyncWrites()}, nil
}

func (s *directorySync) sync() error { return nil }

func (s *directorySync) close() error { return nil }
