package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"speedlayer/query"
)

func newTop(io streams) *cobra.Command {
	var r rangeFlags
	var about subject
	var limit int
	cmd := &cobra.Command{
		Use:     "top --domain D --from T --to T [--limit N] [--json]",
		Short:   "A domain's pages by pageviews, with unique visitors",
		Example: "  speedlayer top --domain foo.com --from now-24h --to now --limit 20",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit %d: allowed are 1 to 1000", limit)
			}
			domain, err := about.whole("top lists the pages")
			if err != nil {
				return err
			}
			return ask(cmd.Context(), io, &r.target, r.json, func(ctx context.Context, a query.Answers) (*query.TopAnswer, error) {
				return a.Top(ctx, query.TopQuery{Domain: domain, From: r.from, To: r.to, Limit: limit})
			}, func(w writer, a *query.TopAnswer) {
				fmt.Fprintf(w, "pageviews\tuniques\tpage\n")
				for _, p := range a.Pages {
					fmt.Fprintf(w, "%s\t%s\t%s\n", groups(int64(p.Pageviews)), groups(int64(p.Visitors))+estimated(p.Exact, p.RelativeError), p.URL)
				}
				if more := a.TotalPages - len(a.Pages); more > 0 {
					fmt.Fprintf(w, "\t\tand %s more pages, %s pageviews in all\n", groups(int64(more)), groups(int64(a.Pageviews)))
				}
			})
		},
	}
	about.add(cmd.Flags())
	cmd.Flags().IntVar(&limit, "limit", 10, "pages at most")
	r.add(cmd.Flags())
	return cmd
}
