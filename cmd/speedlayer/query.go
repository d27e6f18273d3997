package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"speedlayer/query"
)

// rangeFlags are what the three questions share.
type rangeFlags struct {
	from, to, by string
	json         bool
	target       targetFlags
}

const timeHelp = "RFC 3339 on a whole hour (2015-05-17T10:00Z), now, or now-24h"

func (r *rangeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&r.from, "from", "", "first hour: `T` is "+timeHelp)
	flags.StringVar(&r.to, "to", "", "hour after the last: `T` is "+timeHelp)
	flags.BoolVar(&r.json, "json", false, "print the whole answer as JSON")
	r.target.add(flags)
}

func (r *rangeFlags) addBy(flags *pflag.FlagSet) {
	flags.StringVar(&r.by, "by", "", "break down by `UNIT`: hour or day")
}

// subject is the page or domain that a question is about. --url and --domain both
// name it, so that nobody has to know which question takes which.
type subject struct{ url, domain string }

func (s *subject) add(flags *pflag.FlagSet) {
	flags.StringVar(&s.url, "url", "", "page or domain: `URL` as in foo.com/about or foo.com")
	flags.StringVar(&s.domain, "domain", "", "`D`omain, as in foo.com; the same as --url of it")
}

func (s *subject) check() error {
	if s.url != "" && s.domain != "" {
		return usagef("--url and --domain exclude each other")
	}
	return nil
}

// page is the page or domain.
func (s *subject) page() (string, error) { return s.url + s.domain, s.check() }

// whole is the domain; a page of it is refused.
func (s *subject) whole(what string) (string, error) {
	if err := s.check(); err != nil || s.url == "" {
		return s.domain, err
	}
	_, rest, found := strings.Cut(s.url, "://")
	if !found {
		rest = s.url
	}
	domain, path, _ := strings.Cut(rest, "/")
	if path != "" {
		return "", usagef("--url %q is a page: %s of a whole domain, as in --domain %s", s.url, what, domain)
	}
	return domain, nil
}

// ask opens the target, asks, and prints the answer: as JSON, or as text.
func ask[T any](ctx context.Context, io streams, w *targetFlags, asJSON bool, question func(context.Context, query.Answers) (T, error), text func(io.Writer, T)) error {
	t, err := w.openAnswers(ctx, io)
	if err != nil {
		return err
	}
	answer, err := question(ctx, t.answers)
	if err2 := t.close(); err == nil {
		err = err2
	}
	switch {
	case query.IsBadRequest(err):
		return usageError{err}
	case err != nil:
		return err
	case asJSON:
		return json.NewEncoder(io.out).Encode(answer)
	}
	tab := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	text(tab, answer)
	return tab.Flush()
}

func newQuery(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "query pageviews|uniques|bounce-rate",
		Short:   "Ask one of the three questions",
		Long:    "Asks for the pageviews or unique visitors of a page or a domain, or for the\nbounce rate of a domain, over any range of hours.",
		Example: "  speedlayer query uniques --url foo.com/about --from now-24h --to now",
		Args:    noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("query needs a question: allowed are pageviews, uniques, bounce-rate")
		},
	}
	cmd.AddCommand(newQueryPageviews(io), newQueryUniques(io), newQueryBounceRate(io))
	return cmd
}

func newQueryPageviews(io streams) *cobra.Command {
	var r rangeFlags
	var about subject
	cmd := &cobra.Command{
		Use:     "pageviews --url URL|--domain D --from T --to T [--by hour|day] [--json]",
		Short:   "How many pageviews had a page or a domain",
		Example: "  speedlayer query pageviews --url foo.com --from 2015-05-17T10:00Z --to 2015-05-18T10:00Z --by hour",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := about.page()
			if err != nil {
				return err
			}
			return ask(cmd.Context(), io, &r.target, r.json, func(ctx context.Context, a query.Answers) (*query.PageviewsAnswer, error) {
				return a.Pageviews(ctx, query.URLQuery{URL: url, From: r.from, To: r.to, By: r.by})
			}, func(w writer, a *query.PageviewsAnswer) {
				heading(w, a.URL, a.From, a.To)
				fmt.Fprintf(w, "pageviews\t%s\n", groups(int64(a.Pageviews)))
				quality(w, &a.Quality)
				for _, p := range parts(r.by, a.Hours, a.Days) {
					fmt.Fprintf(w, "%s\t%s\n", p.Hour+p.Day, groups(int64(p.Pageviews)))
				}
			})
		},
	}
	about.add(cmd.Flags())
	r.add(cmd.Flags())
	r.addBy(cmd.Flags())
	return cmd
}

func newQueryUniques(io streams) *cobra.Command {
	var r rangeFlags
	var about subject
	cmd := &cobra.Command{
		Use:     "uniques --url URL|--domain D --from T --to T [--by hour|day] [--json]",
		Short:   "How many unique visitors had a page or a domain",
		Example: "  speedlayer query uniques --url foo.com/about --from now-24h --to now",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := about.page()
			if err != nil {
				return err
			}
			return ask(cmd.Context(), io, &r.target, r.json, func(ctx context.Context, a query.Answers) (*query.UniquesAnswer, error) {
				return a.Uniques(ctx, query.URLQuery{URL: url, From: r.from, To: r.to, By: r.by})
			}, func(w writer, a *query.UniquesAnswer) {
				heading(w, a.URL, a.From, a.To)
				fmt.Fprintf(w, "unique visitors\t%s%s\n", groups(int64(a.Visitors)), estimated(a.Exact, a.RelativeError))
				quality(w, &a.Quality)
				for _, p := range parts(r.by, a.Hours, a.Days) {
					fmt.Fprintf(w, "%s\t%s%s\n", p.Hour+p.Day, groups(int64(p.Visitors)), estimated(p.Exact, 0))
				}
			})
		},
	}
	about.add(cmd.Flags())
	r.add(cmd.Flags())
	r.addBy(cmd.Flags())
	return cmd
}

func newQueryBounceRate(io streams) *cobra.Command {
	var r rangeFlags
	var about subject
	cmd := &cobra.Command{
		Use:     "bounce-rate --domain D --from T --to T [--by hour|day] [--json]",
		Short:   "What share of a domain's visits had one view only",
		Example: "  speedlayer query bounce-rate --domain foo.com --from now-7d --to now --by day",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			domain, err := about.whole("the bounce rate is")
			if err != nil {
				return err
			}
			return ask(cmd.Context(), io, &r.target, r.json, func(ctx context.Context, a query.Answers) (*query.BounceRateAnswer, error) {
				return a.BounceRate(ctx, query.DomainQuery{Domain: domain, From: r.from, To: r.to, By: r.by})
			}, func(w writer, a *query.BounceRateAnswer) {
				heading(w, a.Domain, a.From, a.To)
				fmt.Fprintf(w, "visits\t%s\n", groups(a.Visits))
				fmt.Fprintf(w, "bounces\t%s\n", groups(a.Bounces))
				fmt.Fprintf(w, "bounce rate\t%s%s\n", rate(a.Rate), estimated(a.Exact, 0))
				quality(w, &a.Quality)
				for _, p := range parts(r.by, a.Hours, a.Days) {
					fmt.Fprintf(w, "%s\t%s\t(%s of %s)\n", p.Hour+p.Day, rate(p.Rate), groups(p.Bounces), groups(p.Visits))
				}
			})
		},
	}
	about.add(cmd.Flags())
	r.add(cmd.Flags())
	r.addBy(cmd.Flags())
	return cmd
}

// writer is what text answers are printed to: columns end with a tab.
type writer = io.Writer

func heading(w writer, url, from, to string) { fmt.Fprintf(w, "%s\t%s to %s\n", url, from, to) }

// parts is the breakdown that was asked for; without one, text stays short.
func parts[P any](by string, hours, days []P) []P {
	switch by {
	case "hour":
		return hours
	case "day":
		return days
	}
	return nil
}

func estimated(exact bool, relativeError float64) string {
	switch {
	case exact:
		return ""
	case relativeError > 0:
		return fmt.Sprintf(" (estimated, +-%.1f%%)", 100*relativeError)
	}
	return " (estimated)"
}

func rate(r *float64) string {
	if r == nil {
		return "none (no visits)"
	}
	return fmt.Sprintf("%.1f%%", 100**r)
}

// quality prints what the answer says of itself, in a line.
func quality(w writer, q *query.Quality) {
	var text []string
	switch c := &q.Covered; {
	case c.Lag == nil:
		text = append(text, "lag unknown: the queue did not answer")
	case *c.Lag > 0 && c.AgeSeconds != nil:
		text = append(text, fmt.Sprintf("%s records behind, %v old", groups(*c.Lag), (time.Duration(*c.AgeSeconds)*time.Second)))
	default:
		text = append(text, "up to date")
	}
	if !q.Covered.Settled {
		text = append(text, "not settled")
	}
	if q.Sources.BatchHours > 0 {
		text = append(text, fmt.Sprintf("%d hours from the batch layer", q.Sources.BatchHours))
	}
	fmt.Fprintf(w, "covers\t%s pageviews, %s\n", groups(q.Covered.Events), strings.Join(text, ", "))
	for _, n := range q.Notes {
		fmt.Fprintf(w, "note\t%s\n", n)
	}
}
