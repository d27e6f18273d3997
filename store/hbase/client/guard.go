package client

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
)

var guarded sync.Once

// guard takes gohbase's messages, and the power to end the process. gohbase
// logs through logrus's standard logger, and in a few places, none of which
// should be reached, logs Fatal: an empty node in ZooKeeper, an error that it
// does not know, a cache that contradicts itself. Fatal then ends the goroutine
// only: what waits for it runs into its deadline, and a new client is made.
// logrus's logger is the process's; nothing else here uses it.
func guard(to *slog.Logger) {
	guarded.Do(func() {
		l := logrus.StandardLogger()
		l.SetOutput(io.Discard)
		l.SetLevel(logrus.ErrorLevel)
		l.ExitFunc = func(int) { runtime.Goexit() }
		l.AddHook(hook{to})
	})
}

type hook struct{ log *slog.Logger }

func (h hook) Levels() []logrus.Level {
	return []logrus.Level{logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel}
}

// Fire passes a message on: what gohbase calls an error is a region that moved
// or a server that went, which callers get to know by themselves.
func (h hook) Fire(e *logrus.Entry) error {
	args := []any{}
	for k, v := range e.Data {
		args = append(args, k, v)
	}
	level := slog.LevelDebug
	if e.Level <= logrus.FatalLevel {
		level = slog.LevelError
	}
	h.log.Log(context.Background(), level, "gohbase: "+strings.TrimSpace(e.Message), args...)
	return nil
}
