package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"speedlayer/query"
)

func newEquiv(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "equiv add|remove|list",
		Short: "Say that two identifiers are one person, or are not after all",
		Long: `An equiv edge says that two identifiers, an address and a user name say, are one
person: for all time, past hours included, at once. It can be taken back.`,
		Example: "  speedlayer equiv add 11.11.11.111 sally",
		Args:    noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usagef("equiv needs a command: allowed are add, remove, list")
		},
	}
	cmd.AddCommand(newEquivChange(io, false), newEquivChange(io, true), newEquivList(io))
	return cmd
}

func newEquivChange(io streams, retract bool) *cobra.Command {
	name, short := "add", "Two identifiers are one person"
	if retract {
		name, short = "remove", "Two identifiers are not one person after all"
	}
	var target targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     name + " ID1 ID2",
		Short:   short,
		Example: "  speedlayer equiv " + name + " 11.11.11.111 sally",
		Args:    exactArgs(2, "two identifiers"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return ask(cmd.Context(), io, &target, asJSON, func(ctx context.Context, a query.Answers) (*query.EquivAnswer, error) {
				if retract {
					return a.RemoveEquiv(ctx, ids[0], ids[1])
				}
				return a.AddEquiv(ctx, ids[0], ids[1])
			}, func(w writer, a *query.EquivAnswer) {
				verb := "are one person"
				if a.Retract {
					verb = "are not one person by an edge of their own"
				}
				fmt.Fprintf(w, "%q and %q %s; edges that hold: %s\n", a.ID1, a.ID2, verb, groups(int64(a.Edges)))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	target.add(cmd.Flags())
	return cmd
}

func newEquivList(io streams) *cobra.Command {
	var target targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The edges that hold",
		Example: "  speedlayer equiv list --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), io, &target, asJSON, func(ctx context.Context, a query.Answers) (*query.EquivsAnswer, error) {
				return a.Equivs(ctx)
			}, func(w writer, a *query.EquivsAnswer) {
				for _, e := range a.Equivs {
					fmt.Fprintf(w, "%q\t%q\t%s\n", e.ID1, e.ID2, e.Time)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	target.add(cmd.Flags())
	return cmd
}
