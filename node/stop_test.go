package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// A clean stop is one line of the log, which has the cause.
func TestStopIsLogged(t *testing.T) {
	var log bytes.Buffer
	ctx, stop := context.WithCancelCause(t.Context())
	n, err := Open(ctx, Config{Data: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stop(errors.New("the test is over"))
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "msg=stopped") != 1 || !strings.Contains(got, `cause="the test is over"`) {
		t.Errorf("the log has: %s", got)
	}
}

// A node may be closed again: by its runner, and by its opener. The second call
// does nothing.
func TestCloseTwice(t *testing.T) {
	n, err := Open(t.Context(), Config{Data: t.TempDir(), HTTP: &HTTPConfig{Listen: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	first, second := n.Close(), n.Close()
	if first != nil || second != nil {
		t.Errorf("closed with %v, then with %v", first, second)
	}
	// What Open could not open is closed as far as it came.
	if n, err = Open(t.Context(), Config{Data: "/dev/null/x"}); err == nil {
		closeNode(t, n)
		t.Error("a node in no directory")
	}
}
