package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"speedlayer/collector/bots"
)

// botFlags say what happens to bots. They are the same wherever pageviews come
// in.
type botFlags struct{ what, patterns string }

func (f *botFlags) add(flags *pflag.FlagSet, what string) {
	flags.StringVar(&f.what, "bots", what, "`WHAT` to do with bots, as lists of user agents name them: keep or drop")
	flags.StringVar(&f.patterns, "bot-patterns", "", "`FILE` of your own patterns besides: regular expressions (RE2) on the user agent, one a line; # begins a comment")
}

// list reports whether bots are dropped, and by which list.
func (f *botFlags) list() (drop bool, _ *bots.List, _ error) {
	if f.what != "keep" && f.what != "drop" {
		return false, nil, usagef("--bots %q: allowed are keep, drop", f.what)
	}
	if f.patterns == "" {
		return f.what == "drop", nil, nil // the default
	}
	in, err := os.Open(f.patterns)
	if err != nil {
		return false, nil, fmt.Errorf("--bot-patterns: %w", err)
	}
	l, err := bots.Default().With(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return false, nil, usagef("--bot-patterns %s: %w", f.patterns, err)
	}
	return f.what == "drop", l, nil
}
