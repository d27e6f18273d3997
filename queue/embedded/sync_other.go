//go:build !linux

package embedded

import "github.com/twmb/franz-go/pkg/kfake"

// brokerSync leaves syncing to the broker, batch by batch, where there is no
// call that syncs a whole file system.
func brokerSync(string) (func() error, []kfake.Opt) {
	return func() error { return nil }, []kfake.Opt{kfake.SyncWrites()}
}
