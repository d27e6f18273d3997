package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/collector/importer"
)

type importFlags struct {
	lines  formatFlags
	bots   botFlags
	target targetFlags
	json   bool
}

func newImport(io streams) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import [--format FORMAT] [--host HOST] [--bots keep|drop] [--server URL | --data DIR] FILE...",
		Short: "Take log files or JSON lines into the queue",
		Long: `Takes access logs or JSON lines into the queue and returns when all of it is
queryable. "-" is standard input. Files packed by gzip, zstd, bzip2 and xz are
read as they are.

The format is found from a file's first lines, if --format does not name it:
  combined    Apache's and nginx's usual format, nginx's main and Traefik's too
  common      the same without referrer and user agent
  vhost       either, with the host in front (vhost_combined); no --host needed
  w3c         IIS and others, with a #Fields line; cloudfront is one of these
  alb, elb    Amazon's load balancers
  haproxy     HAProxy's HTTP log; it has no user agents, and no zone (--time-zone)
  caddy       Caddy's JSON
  json        any JSON, one object a line: nginx, Traefik, or as --fields says
  jsonl       this program's own events: person, url, ts
What syslog, journald, Docker and Kubernetes put in front of lines is cut off.

A line of a log is a pageview if it is a GET with status 200-299 or 304 for a
page; what is not, and what is broken, is counted by reason. The client's first
field must be an address or a host name. A file of which no line is understood,
and one that is damaged, is named, and the exit status is 1; other files, and
what was read before the damage, count. A last line without a line end is left
for the next import, as the file may grow.

Importing a file again, grown, renamed, packed or edited, counts each line once,
however long ago it was imported. A pipe may stay open: views show within a
second, and Ctrl-C loses nothing that was read.`,
		Example: `  speedlayer import --host example.org --data DIR access.log access.log.*.gz
  speedlayer import other_vhosts_access.log
  speedlayer import --format json --fields time=at,client=ip --host example.org app.json
  zcat old.jsonl.gz | speedlayer import --format jsonl -
  tail -n +1 -F access.log | speedlayer import --host example.org -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("import needs a FILE, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error { return runImport(cmd.Context(), io, f, files) },
	}
	flags := cmd.Flags()
	f.lines.add(flags)
	f.bots.add(flags, "drop")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	f.target.add(flags)
	return cmd
}

// checkFiles reports which file cannot be read. It comes before all flags: a name
// with a typing error is the likelier mistake, and the shorter story.
func checkFiles(files []string) error {
	for _, name := range files {
		if name == "-" {
			continue
		}
		if info, err := os.Stat(name); err != nil {
			return fmt.Errorf("import: %w", err)
		} else if info.IsDir() {
			return usagef("%s is a directory: name its files", name)
		}
	}
	return nil
}

func (f *importFlags) check() error {
	if err := f.lines.check(); err != nil {
		return err
	}
	_, _, err := f.bots.list()
	return err
}

// importReport is what import prints.
type importReport struct {
	Lines       int64         `json:"lines"`
	Pageviews   int64         `json:"pageviews"`
	Duplicates  int64         `json:"duplicates"`
	BotsDropped int64         `json:"bots_dropped"`
	Bots        []importCount `json:"bots"` // the same by kind
	NotPageview []importCount `json:"not_pageviews"`
	Rejected    []importCount `json:"rejected"`
	Files       []importFile  `json:"files"`
	stopped     bool
}

type importCount struct {
	Reason   string   `json:"reason"`
	Lines    int64    `json:"lines"`
	Examples []string `json:"examples"`
}

func runImport(ctx context.Context, io streams, f importFlags, files []string) error {
	if err := checkFiles(files); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	target, err := f.target.openTarget(ctx, io)
	if err != nil {
		return err
	}
	report, bad, err := importFiles(ctx, io, f, target, files)
	if err2 := target.close(); err == nil {
		err = err2
	}
	if err != nil {
		return errors.Join(err, bad)
	}
	if err := report.print(io.out, f.json); err != nil {
		return err
	}
	if bad == nil && report.stopped && !slices.Equal(files, []string{"-"}) { // a pipe has no other end
		bad = errors.New("import: stopped before the end of the files: what was read is in; import them again to go on")
	}
	return bad
}

// stopTime bounds the wait until all is queryable when the import was asked to stop.
const stopTime = 5 * time.Second

// importFiles imports and waits until all is queryable. bad names the files that
// were not read, or only in part.
func importFiles(ctx context.Context, io streams, f importFlags, t *target, files []string) (r importReport, bad, err error) {
	before, err := t.duplicates(ctx)
	if err != nil {
		return importReport{}, bad, err
	}
	dropBots, list, err := f.bots.list()
	if err != nil {
		return importReport{}, bad, err
	}
	p := newProgress(io.err, "import")
	done, err := importer.Import(ctx, importer.Config{
		Format: importer.Format(f.lines.format), Host: f.lines.host, Log: f.lines.options(), LastLine: f.lines.lastLine, DropBots: dropBots, Bots: list, Sink: t.sink, Stdin: io.in,
		Progress: func(read, total, lines int64) { p.update(read, total, "bytes") },
	}, files...)
	p.finish()
	tellFiles(io.err, done.Files)
	if bad = done.Err(); bad != nil {
		bad = fmt.Errorf("import: %w", bad)
	}
	if err != nil {
		return importReport{}, bad, fmt.Errorf("import: %w", err)
	}
	if done.Stopped {
		stopped, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		ctx = stopped
	}
	if err := t.applied(ctx, done); err != nil {
		return importReport{}, bad, err
	}
	after, err := t.duplicates(ctx)
	if err != nil {
		return importReport{}, bad, err
	}
	return importReport{
		Lines: done.Lines, Pageviews: done.Pageviews, Duplicates: done.Duplicates + after - before, BotsDropped: done.BotsDropped, Bots: importCounts(done.Bots),
		NotPageview: importCounts(done.NotPageview), Rejected: importCounts(done.Rejected),
		Files: importFileReports(done.Files), stopped: done.Stopped,
	}, bad, nil
}

func importCounts(counts []importer.Count) []importCount {
	out := make([]importCount, len(counts))
	for i, c := range counts {
		out[i] = importCount(c)
	}
	return out
}

func (r *importReport) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\tlines\t\n", groups(r.Lines))
	fmt.Fprintf(w, "%s\tpageviews\t\n", groups(r.Pageviews))
	fmt.Fprintf(w, "%s\tduplicates\t\n", groups(r.Duplicates))
	fmt.Fprintf(w, "%s\tof bots, dropped\t\n", groups(r.BotsDropped))
	fmt.Fprintf(w, "%s\tnot pageviews\t\n", groups(sumCounts(r.NotPageview)))
	fmt.Fprintf(w, "%s\trejected\t\n", groups(sumCounts(r.Rejected)))
	if err := w.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		what   string
		counts []importCount
	}{{"a bot, dropped", r.Bots}, {"not a pageview", r.NotPageview}, {"rejected", r.Rejected}} {
		for _, c := range part.counts {
			fmt.Fprintf(out, "\n%s: %s: %s\n", part.what, c.Reason, groups(c.Lines))
			for _, e := range c.Examples {
				fmt.Fprintf(out, "    %q\n", e)
			}
		}
	}
	return nil
}

func sumCounts(counts []importCount) (sum int64) {
	for _, c := range counts {
		sum += c.Lines
	}
	return sum
}
