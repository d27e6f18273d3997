package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError is a flag that a command does not have or take. Where the word before
// it is not a command either, that is what is wrong: the flags are its own.
func flagError(cmd *cobra.Command, args []string, err error) error {
	if cmd.HasSubCommands() {
		if word := wordAfter(cmd, args); word != "" {
			return noCommand(cmd, []string{word})
		}
	}
	return usagef("%w; see %s --help", err, cmd.CommandPath())
}

// wordAfter is the word that directly follows a command's name in a call; empty
// if that is a flag or nothing.
func wordAfter(cmd *cobra.Command, args []string) string {
	names := strings.Fields(cmd.CommandPath())[1:]
	for _, arg := range args {
		switch {
		case len(names) > 0 && arg == names[0]:
			names = names[1:]
		case len(names) > 0:
		case strings.HasPrefix(arg, "-"):
			return ""
		default:
			return arg
		}
	}
	return ""
}

// hinted reports what to do about a server that is not there.
func hinted(err error) error {
	var call *url.Error
	if errors.As(err, &call) && errors.Is(call, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: start one with \"speedlayer serve\", or name another with --server URL", err)
	}
	return err
}

// plainUsage takes the quotes around the names of values out of the texts of all
// flags: help shows them as names, completions would show the quotes.
func plainUsage(cmd *cobra.Command) {
	plain := func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) }
	cmd.Flags().VisitAll(plain)
	cmd.PersistentFlags().VisitAll(plain)
	for _, c := range cmd.Commands() {
		plainUsage(c)
	}
}
