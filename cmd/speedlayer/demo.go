package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/collector/importer"
	"speedlayer/demo"
	"speedlayer/node"
	"speedlayer/query"
	"speedlayer/query/api"
)

// Where the demo's log comes from, and the days it covers.
const (
	demoHost = demo.Host
	demoFrom = "2015-05-17T00:00Z"
	demoTo   = "2015-05-21T00:00Z"
)

type demoFlags struct {
	once        bool
	listen, bot string
	log         logFlags
}

func newDemo(io streams) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo [--once]",
		Short: "Run the main job on a real access log, in a fresh folder",
		Long: `Takes a real access log through collector, queue, micro-batches and views, in a
fresh folder, and prints the three answers; then batch runs absorb it, and the
answers are the same. It prints the dashboard's address and serves until Ctrl-C,
or with --once ends after the answers.`,
		Example: "  speedlayer demo --once",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), io, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.once, "once", false, "end after the answers")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`HOST:PORT` of HTTP; another port if it is taken")
	flags.StringVar(&f.bot, "bots", "keep", "`WHAT` to do with bots that a list of user agents names: keep or drop")
	f.log.add(flags, "warn")
	return cmd
}

func runDemo(ctx context.Context, io streams, f demoFlags) (err error) {
	if f.bot != "keep" && f.bot != "drop" {
		return usagef("--bots %q: allowed are keep, drop", f.bot)
	}
	logger, err := f.log.logger(io.err)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "speedlayer-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if f.listen, err = freeAddress(f.listen); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{Data: filepath.Join(dir, "data"), HTTP: &node.HTTPConfig{Listen: f.listen}, Logger: logger})
	if err != nil {
		return explainOpen(err)
	}
	if err := showDemo(ctx, io, n, f, dir); err != nil || f.once {
		if ctx.Err() != nil {
			err = nil // Ctrl-C is a way to end it
		}
		return errors.Join(err, n.Close())
	}
	fmt.Fprintf(io.out, "\nDashboard: %s/?domain=%s&from=%s&to=%s\nCtrl-C ends it.\n", n.URL(), demoHost, demoFrom, demoTo)
	return n.Run(ctx)
}

// freeAddress is the address, or one with another port if that one is taken.
func freeAddress(listen string) (string, error) {
	l, err := net.Listen("tcp", listen)
	if err == nil {
		return listen, l.Close()
	}
	host, _, err2 := net.SplitHostPort(listen)
	if err2 != nil {
		return "", usagef("--listen %q: allowed is HOST:PORT", listen)
	}
	return net.JoinHostPort(host, "0"), nil
}

// showDemo posts the log to the collector and prints the answers.
func showDemo(ctx context.Context, io streams, n *node.Node, f demoFlags, dir string) error {
	file := filepath.Join(dir, "access.log.gz")
	if err := os.WriteFile(file, demo.AccessLog, 0o600); err != nil {
		return err
	}
	began := time.Now()
	client := &http.Client{}
	report, err := importer.Import(ctx, importer.Config{
		Format: importer.Combined, Host: demoHost, DropBots: f.bot == "drop",
		Sink: &importer.Server{URL: n.URL(), Client: client},
	}, file)
	if err = errors.Join(err, report.Err()); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "A web server's log of %s, 17 to 20 May 2015: %s lines, %s pageviews, queryable after %v.\n\n",
		demoHost, groups(report.Lines), groups(report.Pageviews), time.Since(began).Round(time.Millisecond))
	if err := threeAnswers(ctx, io, n.Engine()); err != nil {
		return err
	}
	if err := lectureExample(ctx, io, n.URL(), client); err != nil {
		return err
	}
	return showBatch(ctx, io, n)
}

func threeAnswers(ctx context.Context, io streams, a query.Answers) error {
	views, err := a.Pageviews(ctx, query.URLQuery{URL: demoHost, From: demoFrom, To: demoTo})
	if err != nil {
		return err
	}
	uniques, err := a.Uniques(ctx, query.URLQuery{URL: demoHost, From: demoFrom, To: demoTo})
	if err != nil {
		return err
	}
	bounces, err := a.BounceRate(ctx, query.DomainQuery{Domain: demoHost, From: demoFrom, To: demoTo})
	if err != nil {
		return err
	}
	top, err := a.Top(ctx, query.TopQuery{Domain: demoHost, From: demoFrom, To: demoTo, Limit: 5})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "pageviews\t%s\n", groups(int64(views.Pageviews)))
	fmt.Fprintf(w, "unique visitors\t%s%s\n", groups(int64(uniques.Visitors)), estimated(uniques.Exact, uniques.RelativeError))
	fmt.Fprintf(w, "bounce rate\t%s (%s of %s visits)\n", rate(bounces.Rate), groups(bounces.Bounces), groups(bounces.Visits))
	fmt.Fprintf(w, "\npageviews\tuniques\tpage\n")
	for _, p := range top.Pages {
		fmt.Fprintf(w, "%s\t%s\t%s\n", groups(int64(p.Pageviews)), groups(int64(p.Visitors)), p.URL)
	}
	return w.Flush()
}

// lectureExample is the book's: an equiv edge that is discovered at 2:00 pm
// corrects the unique visitors of 1 pm.
func lectureExample(ctx context.Context, io streams, server string, client *http.Client) error {
	const hour, next = "2015-05-20T13:00Z", "2015-05-20T14:00Z"
	body := `{"nonce":"1:30","person":"11.11.11.111","url":"http://foo.com/about","ts":"2015-05-20T13:30:00Z"}
{"nonce":"1:40","person":"sally","url":"http://foo.com/about","ts":"2015-05-20T13:40:00Z"}
`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/v1/pageviews?wait=applied", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("demo: the collector answered %s", resp.Status)
	}
	a, err := api.NewClient(server, client)
	if err != nil {
		return err
	}
	question := query.URLQuery{URL: "foo.com/about", From: hour, To: next}
	before, err := a.Uniques(ctx, question)
	if err != nil {
		return err
	}
	if _, err := a.AddEquiv(ctx, "11.11.11.111", "sally"); err != nil {
		return err
	}
	after, err := a.Uniques(ctx, question)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, `
1:30 pm: 11.11.11.111 visits foo.com/about
1:40 pm: sally visits foo.com/about            unique visitors at 1 pm: %d
2:00 pm: 11.11.11.111 turns out to be sally    unique visitors at 1 pm: %d
`, before.Visitors, after.Visitors)
	return nil
}
