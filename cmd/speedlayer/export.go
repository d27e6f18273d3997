package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"speedlayer/query"
)

func newExport(io streams) *cobra.Command {
	var q query.ExportQuery
	var format string
	var where whereFlags
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
			return runExport(cmd.Context(), io, &where, q, format)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.View, "view", "", "one `VIEW` only: pageviews, uniques or bounces")
	flags.StringVar(&q.From, "from", "", "first hour: `T` is "+timeHelp)
	flags.StringVar(&q.To, "to", "", "hour behind the last: `T` is "+timeHelp)
	flags.StringVar(&format, "format", "jsonl", "`FORMAT`: jsonl or csv")
	where.add(flags)
	return cmd
}

func runExport(ctx context.Context, io streams, where *whereFlags, q query.ExportQuery, format string) error {
	t, err := where.openAnswers(ctx, io)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(io.out, 64<<10)
	write, finish := jsonCells(out)
	if format == "csv" {
		write, finish = csvCells(out)
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

func jsonCells(w io.Writer) (write func(query.Cell) error, finish func() error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(c query.Cell) error { return enc.Encode(c) }, func() error { return nil }
}

// csvCells writes one table for all views; a column that a view has not is
// empty.
func csvCells(w io.Writer) (write func(query.Cell) error, finish func() error) {
	out := csv.NewWriter(w)
	header := []string{"view", "url", "hour", "pageviews", "visitors", "exact", "visits", "bounces"}
	started := false
	begin := func() error {
		if started {
			return nil
		}
		started = true
		return out.Write(header)
	}
	write = func(c query.Cell) error {
		if err := begin(); err != nil {
			return err
		}
		return out.Write([]string{c.View, c.URL, c.Hour, number(c.Pageviews), number(c.Visitors), truth(c.Exact), number(c.Visits), number(c.Bounces)})
	}
	finish = func() error {
		if err := begin(); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	}
	return write, finish
}

func number[N int64 | uint64](n *N) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}

func truth(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
