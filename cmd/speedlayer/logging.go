package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/pflag"
)

// logFlags report how much is logged and in what form.
type logFlags struct {
	level  string
	format string
}

func (l *logFlags) add(flags *pflag.FlagSet, level string) {
	flags.StringVar(&l.level, "log-level", level, "`LEVEL`: debug, info, warn or error")
	flags.StringVar(&l.format, "log-format", "text", "`FORMAT`: text or json")
}

// logger writes to w.
func (l *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	switch strings.ToLower(l.level) {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(l.level)) // one of the four
	default:
		return nil, usagef("--log-level %q: allowed are debug, info, warn, error", l.level)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, usagef("--log-format %q: allowed are text, json", l.format)
}
