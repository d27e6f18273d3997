package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"speedlayer/queue"
)

// A server that boots is waited for; one that does not come is an error that says
// for how long; wrong settings are not waited for.
func TestConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{opts: Config{Logger: slog.New(slog.DiscardHandler), WaitFor: time.Minute}}
		tries := 0
		up := func(after int) func(context.Context) error {
			return func(context.Context) error {
				if tries++; tries <= after {
					return context.DeadlineExceeded
				}
				return nil
			}
		}
		if err := n.connect(t.Context(), "HBase", up(5)); err != nil || tries != 6 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		tries = 0
		err := n.connect(t.Context(), "HBase", up(1000))
		if err == nil || tries != 31 || !strings.Contains(err.Error(), "HBase could not be used within 1m0s (31 tries)") || !strings.Contains(err.Error(), "--wait-for") {
			t.Errorf("after %d tries: %v", tries, err)
		}
		tries = 0
		err = n.connect(t.Context(), "Kafka", func(context.Context) error { tries++; return queue.ErrCredentials })
		if !errors.Is(err, queue.ErrCredentials) || tries != 1 {
			t.Errorf("after %d tries: %v", tries, err)
		}
	})
}
