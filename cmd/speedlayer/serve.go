package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"speedlayer/record"
	"speedlayer/view"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"speedlayer/node"
)

type serveFlags struct {
	data, listen, kafkaListen, pprof string
	log                              logFlags
	settings                         settingsFlags
	partitions                       int32
	snapshotEvery, batchDelay, drain time.Duration
	waitFor                          time.Duration
	maxLog                           string
	trusted, hosts                   []string
	ingestOnly, insecure             bool
	bots                             botFlags
	cluster                          clusterFlags
	batch                            batchFlags
}

func newServe(io streams) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [--data DIR] [--listen 127.0.0.1:8080] [--kafka-listen 127.0.0.1:9092]\n  speedlayer serve --kafka HOST:PORT,... --data DIR\n  speedlayer serve --kafka HOST:PORT,... --store URL [--roles collector,processor,query]",
		Short: "Run everything in one process, or a part of a cluster",
		Long: `Runs collector, queue, processors and queries in one process, over one data
directory. The embedded broker speaks the Kafka protocol to other programs too.

With --kafka the queue is a Kafka cluster, with --store the store is one that
processes share, and --roles says which part of the work this process does. Any
number may run: processors share the partitions, and take over from each other.

SIGTERM or Ctrl-C stops it: it takes nothing more, commits what it has and ends
within 10 seconds; what was acknowledged is never lost, however it ends.`,
		Example: `  speedlayer serve --data /var/lib/speedlayer --listen 127.0.0.1:8080
  speedlayer serve --kafka kafka1:9092,kafka2:9092 --store hbase://zk1:2181/hbase --roles processor`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), io, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "speedlayer-data", "data `DIR`ectory, made if missing")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`HOST:PORT` of HTTP")
	flags.StringVar(&f.kafkaListen, "kafka-listen", "127.0.0.1:9092", "`HOST:PORT` of the embedded broker")
	flags.Int32Var(&f.partitions, "partitions", 8, "partitions of a fresh topic")
	flags.DurationVar(&f.snapshotEvery, "snapshot-every", 0, "pause between snapshots of operator state; a restart replays at most that much log (default 5s; 10s with a store that processes share)")
	flags.DurationVar(&f.batchDelay, "batch-delay", 100*time.Millisecond, "how long a micro-batch may grow under load")
	flags.StringVar(&f.maxLog, "max-log-size", "", "bound on the log's `SIZE` on disk, as in 50GB; none keeps everything. Records over it are dropped, and that is said")
	flags.DurationVar(&f.drain, "drain-time", 0, "how long /readyz says no before nothing more is taken, so that a load balancer sends clients elsewhere first")
	flags.DurationVar(&f.waitFor, "wait-for", 0, "how long a start waits for Kafka and the store if they are not there yet, as when all boot together")
	flags.StringSliceVar(&f.trusted, "trusted-proxies", nil, "addresses or `CIDR`s of proxies whose X-Forwarded-For is believed")
	flags.StringSliceVar(&f.hosts, "hosts", nil, "`NAME`s besides localhost under which a server on the loopback is reached, as by a proxy that passes the client's Host on")
	flags.BoolVar(&f.ingestOnly, "ingest-only", false, "take pageviews and tell health, and nothing else")
	flags.BoolVar(&f.insecure, "insecure", false, "without a token, let everybody who reaches --listen read and change everything")
	flags.StringVar(&f.pprof, "pprof", "", "`HOST:PORT` of net/http/pprof; off by default")
	f.bots.add(flags, "drop")
	f.log.add(flags, "info")
	f.settings.add(flags)
	f.cluster.add(flags)
	f.batch.add(flags)
	return cmd
}

// settingsFlags are the settings that change results. A change begins a
// generation of its own.
type settingsFlags struct {
	dedupeWindow, visitsWindow   time.Duration
	dedupeEntries, visitsEntries int
	apply                        bool
	flags                        *pflag.FlagSet
}

func (s *settingsFlags) add(flags *pflag.FlagSet) {
	s.flags = flags
	flags.BoolVar(&s.apply, "apply-settings", false, "make the settings that change results, as given, those of a store that has others already: they begin a generation of their own")
	d, v := record.DefaultSettings(""), view.DefaultSettings()
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	flags.DurationVar(&s.dedupeWindow, "dedupe-window", ms(d.DedupeWindow), "log time for which a pageview's nonce is remembered")
	flags.IntVar(&s.dedupeEntries, "dedupe-entries", d.DedupeEntries, "nonces remembered at most, by partition")
	flags.DurationVar(&s.visitsWindow, "visits-window", ms(v.VisitsWindow), "log time for which a visit is remembered after its last view")
	flags.IntVar(&s.visitsEntries, "visits-entries", v.VisitsEntries, "visits remembered at most, by partition")
}

func (s *settingsFlags) settings() (record.Settings, error) {
	v := view.DefaultSettings()
	v.VisitsWindow, v.VisitsEntries = s.visitsWindow.Milliseconds(), s.visitsEntries
	set := record.DefaultSettings(v.String())
	set.DedupeWindow, set.DedupeEntries = s.dedupeWindow.Milliseconds(), s.dedupeEntries
	if err := errors.Join(set.Validate(), v.Validate()); err != nil {
		return set, usagef("%w", err)
	}
	return set, nil
}

// given reports whether one of them was asked for, by flag, environment or file.
func (s *settingsFlags) given() bool {
	for _, name := range []string{"dedupe-window", "dedupe-entries", "visits-window", "visits-entries"} {
		if s.flags != nil && s.flags.Changed(name) {
			return true
		}
	}
	return false
}

// check turns the flags into what a node needs.
func (f *serveFlags) check(io streams) (n node.Config, err error) {
	if n.Settings, err = f.settings.settings(); err != nil {
		return n, err
	}
	n.ApplySettings, n.Keep = f.settings.apply, !f.settings.apply && !f.settings.given()
	n.WaitFor = f.waitFor
	if f.waitFor < 0 || f.waitFor > time.Hour {
		return n, usagef("--wait-for %v: allowed is 0 to 1h", f.waitFor)
	}
	if n.Logger, err = f.log.logger(io.err); err != nil {
		return n, err
	}
	if f.data == "" {
		return n, usagef("--data is empty: allowed is the name of a directory")
	}
	for _, a := range []struct{ flag, listen string }{{"listen", f.listen}, {"kafka-listen", f.kafkaListen}, {"pprof", f.pprof}} {
		if err := checkListen(a.flag, a.listen); err != nil && (a.listen != "" || a.flag != "pprof") {
			return n, err
		}
	}
	if f.partitions < 1 || f.partitions > 1024 {
		return n, usagef("--partitions %d: allowed are 1 to 1024", f.partitions)
	}
	if f.snapshotEvery != 0 && f.snapshotEvery < 100*time.Millisecond {
		return n, usagef("--snapshot-every %v: allowed is 100ms or more", f.snapshotEvery)
	}
	if f.batchDelay < time.Millisecond || f.batchDelay > time.Minute {
		return n, usagef("--batch-delay %v: allowed is 1ms to 1m", f.batchDelay)
	}
	if f.drain < 0 || f.drain > 5*time.Minute {
		return n, usagef("--drain-time %v: allowed is 0 to 5m", f.drain)
	}
	if f.maxLog != "" {
		bytes, err := humanize.ParseBytes(f.maxLog)
		if err != nil || bytes < 64<<20 {
			return n, usagef("--max-log-size %q: allowed is a size of 64MiB or more, as in 50GB", f.maxLog)
		}
		n.MaxLogBytes = int64(bytes)
	}
	trusted, err := parsePrefixes(f.trusted)
	if err != nil {
		return n, err
	}
	dropBots, bots, err := f.bots.list()
	if err != nil {
		return n, err
	}
	n.Data, n.KafkaListen, n.Partitions = f.data, f.kafkaListen, f.partitions
	n.SnapshotEvery, n.MaxDelay = f.snapshotEvery, f.batchDelay
	n.HTTP = &node.HTTPConfig{Listen: f.listen, Pprof: f.pprof, TrustedProxies: trusted, Hosts: f.hosts, IngestOnly: f.ingestOnly, Insecure: f.insecure, DropBots: dropBots, Bots: bots, Drain: f.drain}
	if err := f.batch.apply(&n); err != nil {
		return n, err
	}
	err = f.cluster.apply(&n)
	return n, err
}

// checkListen wants HOST:PORT, so that an address that cannot be is a wrong call
// before anything is opened. The host may be empty: all addresses.
func checkListen(flag, listen string) error {
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--%s %q: allowed is HOST:PORT, as in 127.0.0.1:8080", flag, listen)
	}
	return nil
}

func parsePrefixes(texts []string) (all []netip.Prefix, err error) {
	for _, text := range texts {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, usagef("--trusted-proxies %q: allowed are addresses and CIDRs, as in 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func runServe(ctx context.Context, io streams, f serveFlags) error {
	config, err := f.check(io)
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, config)
	if err != nil {
		return explainOpen(err)
	}
	if f.log.format == "json" { // then every line is
		config.Logger.Info("serving", "http", n.URL(), "roles", config.Roles.String(), "where", n.Target())
	} else {
		fmt.Fprintf(io.err, "speedlayer: %s on %s, %s\n", serves(config.Roles), n.URL(), n.Target())
	}
	return n.Run(ctx)
}

// explainOpen names the flag to change when a node could not be opened.
func explainOpen(err error) error {
	var address *node.AddressError
	if errors.As(err, &address) {
		return fmt.Errorf("--%w", err)
	}
	return explainKafka(err)
}

// serves is what a process with these roles has over HTTP, for people.
func serves(r node.Roles) string {
	switch r {
	case node.AllRoles:
		return "dashboard and API"
	case node.RoleProcessor:
		return "processor, metrics"
	}
	return r.String()
}
