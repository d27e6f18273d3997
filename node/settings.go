package node

import (
	"context"
	"fmt"
	"sync"

	"speedlayer/catalog"
	"speedlayer/record"
)

// Settings that change results live in the store. A process that starts with others
// works with the store's, and reports it in its log and in status: two processes with
// different flags would else begin a generation at each start, without end.

// givenSettings are the settings that this process was started with, and whether
// the log has said that the store has others.
type givenSettings struct {
	sync.Mutex
	settings string // "" if none were asked for
	said     string // the store's, when that was last logged
}

// takeSettings settles with which settings to work: the store's, the given ones if
// it is fresh, or is told to apply them.
func (n *Node) takeSettings(ctx context.Context) (inStore record.Settings, err error) {
	given := n.opts.Settings
	if inStore, err = catalog.Settings(ctx, n.store, given); err != nil {
		return inStore, err
	}
	if !n.opts.Keep {
		n.given.Lock()
		n.given.settings = given.String()
		n.given.Unlock()
	}
	if !n.opts.ApplySettings || n.opts.Keep {
		n.opts.Settings = inStore
		n.noteSettings(inStore.String())
	}
	return inStore, nil
}

// ensureTrust takes the key of internal records from the store.
func (n *Node) ensureTrust(ctx context.Context) error {
	t, err := catalog.EnsureTrust(ctx, n.store, n.queue.Info)
	if err != nil {
		return err
	}
	n.trust.Store(t)
	n.queue.Sign(t)
	return nil
}

// noteSettings compares the store's settings with the given ones, logs once that
// they differ, and returns it in words; "" if they agree.
func (n *Node) noteSettings(inStore string) string {
	n.given.Lock()
	defer n.given.Unlock()
	if n.given.settings == "" || inStore == "" || inStore == n.given.settings {
		n.given.said = ""
		return ""
	}
	if n.given.said != inStore {
		n.given.said = inStore
		n.opts.Logger.Warn("this process was started with other settings than the store has: it works with the store's. Start all processes with the same, or once with --apply-settings",
			"store", inStore, "started with", n.given.settings)
	}
	return fmt.Sprintf("started with %s, works with the store's %s", n.given.settings, inStore)
}
