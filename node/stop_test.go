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
