package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"speedlayer/queue"
)

// connectPause is the pause between two tries to reach a server at start.
const connectPause = 2 * time.Second

// connect tries until it succeeds, for as long as the node waits for its servers; at
// least once. What a wait does not mend ends it at once.
func (n *Node) connect(ctx context.Context, what string, try func(context.Context) error) error {
	begin := time.Now()
	for tries := 1; ; tries++ {
		err := try(ctx)
		if err == nil {
			if tries > 1 {
				n.opts.Logger.Info(what+" answers", "after", time.Since(begin).Round(time.Millisecond), "tries", tries)
			}
			return nil
		}
		took := time.Since(begin)
		if lasting(err) || ctx.Err() != nil {
			return err
		}
		if took+connectPause > n.opts.WaitFor {
			return fmt.Errorf("%s could not be used within %v (%d tries): %w; if it is still booting, start again later, or with --wait-for 2m",
				what, took.Round(time.Second/10), tries, err)
		}
		if tries == 1 {
			n.opts.Logger.Warn("waiting for "+what, "at most", n.opts.WaitFor, "err", err)
		}
		select {
		case <-time.After(connectPause):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// lasting reports whether an error is about settings: a server that boots does not
// answer so.
func lasting(err error) bool {
	for _, kind := range []error{queue.ErrTLS, queue.ErrCredentials, queue.ErrRights, queue.ErrTopic} {
		if errors.Is(err, kind) {
			return true
		}
	}
	var settings interface{ Lasting() bool } // of a store
	return errors.As(err, &settings) && settings.Lasting()
}
