package main

import (
	"bufio"
	"context"

	"github.com/spf13/cobra"

	"speedlayer/query"
	"speedlayer/query/api"
)

func newExport(io streams) *cobra.Command {
	var q query.ExportQuery
	var format string
	var target targetFlags
	cmd := &cobra.Command{
		Use:   "export [--view pageviews|uniques|bounces] [--from T --to T] [--format jsonl|csv]",
		Short: "Print every cell",
		Long: `Prints every cell, merged over partitions, persons resolved by equiv edges,
sorted by view, url and hour.`,
		Example: "  speedlayer export --view uniques --from now-24h --to now --format csv > uniques.csv",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "jsonl" && format != "csv" {
				return usagef("--format %q: allowed are jsonl, csv", format)
			}
			return runExport(cmd.Context(), io, &target, q, format)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.View, "view", "", "one `VIEW` only: pageviews, uniques or bounces")
	flags.StringVar(&q.From, "from", "", "first hour: `T` is "+timeHelp)
	flags.StringVar(&q.To, "to", "", "hour after the last: `T` is "+timeHelp)
	flags.StringVar(&format, "format", "jsonl", "`FORMAT`: jsonl or csv")
	target.add(flags)
	return cmd
}

func runExport(ctx context.Context, io streams, target *targetFlags, q query.ExportQuery, format string) error {
	out := bufio.NewWriterSize(io.out, 64<<10)
	write, finish, err := api.NewCellWriter(out, format)
	if err != nil {
		return usageError{err}
	}
	t, err := target.openAnswers(ctx, io)
	if err != nil {
		return err
	}
	err = t.answers.Export(ctx, q, write)
	if err == nil {
		err = finish()
	}
	if err == nil {
		err = out.Flush()
	}
	if err2 := t.close(); err == nil {
		err = err2
	}
	if query.IsBadRequest(err) {
		return usageError{err}
	}
	return err
}
