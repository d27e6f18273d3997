package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"speedlayer/node"
	"speedlayer/queue"
	"speedlayer/verify"
)

type verifyFlags struct {
	target targetFlags
	kafka  kafkaFlags
	json   bool
}

func newVerify(io streams) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [--data DIR | --server URL]",
		Short: "Compare every cell with what the whole log says",
		Long: `Reads all cells, then the whole log, with an oracle that shares no code with the
views, and compares each cell at its own version; so it works on a live system.
Prints what was compared and what differs, and exits with 1 if anything does.

Cells whose log is gone, or its beginning, cannot be checked: that is said. If
none can be, it exits with 1 too.

With --server, the cells come from the server and the log from the Kafka address
that it names, or that --kafka says.`,
		Example: `  speedlayer verify --server http://127.0.0.1:8080
  speedlayer verify --data /var/lib/speedlayer --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVerify(cmd.Context(), io, f) },
	}
	flags := cmd.Flags()
	f.target.add(flags)
	f.kafka.add(flags, "of the server's log, if the address that it names cannot be reached from here")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	return cmd
}

func runVerify(ctx context.Context, io streams, f verifyFlags) error {
	p := newProgress(io.err, "verify")
	progress := func(done, total int64) { p.update(done, total, "records") }
	report, err := f.run(ctx, progress)
	p.finish()
	if err != nil {
		return err
	}
	if f.json {
		err = json.NewEncoder(io.out).Encode(report)
	} else {
		_, err = fmt.Fprint(io.out, report)
	}
	switch {
	case err != nil:
		return err
	case report.Differences > 0:
		return fmt.Errorf("%s differences", groups(report.Differences))
	case !report.OK():
		return errors.New("nothing could be checked: the log no longer reaches back far enough")
	}
	return nil
}

func (f *verifyFlags) run(ctx context.Context, progress func(done, total int64)) (*verify.Report, error) {
	switch {
	case f.target.data != "" && f.target.server != "":
		return nil, usagef("--server and --data exclude each other")
	case f.target.data != "" && len(f.kafka.brokers) > 0:
		return nil, usagef("--kafka is for --server: a data directory has its log in it")
	case f.target.data != "":
		return verifyData(ctx, f.target.data, progress)
	}
	server := f.target.serverURL()
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("--server %q: allowed is an http or https URL, as in %s", server, localServer)
	}
	return verifyServer(ctx, u, &f.kafka, progress)
}

// verifyData opens the store and the log of a directory that no server holds.
func verifyData(ctx context.Context, dir string, progress func(done, total int64)) (report *verify.Report, err error) {
	n, err := openForReading(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	return verify.Run(ctx, verify.Config{Cells: verify.FromStore(n.Store()), Log: n.Queue(), Progress: progress})
}

// openForReading opens store and broker, without processors: nothing that is
// looked at changes.
func openForReading(ctx context.Context, dir string) (*node.Node, error) {
	for _, part := range []string{"store", "queue"} {
		if !exists(filepath.Join(dir, part)) {
			return nil, usagef("--data %s: there is no %s of speedlayer", dir, part)
		}
	}
	return node.OpenBackends(ctx, node.Config{Data: dir})
}

// verifyServer reads the cells of a server, and then its log.
func verifyServer(ctx context.Context, server *url.URL, flags *kafkaFlags, progress func(done, total int64)) (*verify.Report, error) {
	base := server.Scheme + "://" + server.Host
	snap, err := verify.FromServer(serverClient(), base)(ctx)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", base, err)
	}
	if len(flags.brokers) == 0 {
		if snap.Kafka == "" {
			return nil, fmt.Errorf("server %s does not say where its log is: name its brokers with --kafka", base)
		}
		for b := range strings.SplitSeq(snap.Kafka, ",") {
			flags.brokers = append(flags.brokers, reachable(b, server.Hostname()))
		}
	}
	kafka, err := flags.config()
	if err != nil {
		return nil, err
	}
	kafka.ReadOnly = true
	client, err := queue.Connect(ctx, kafka)
	if err != nil {
		return nil, explainKafka(err)
	}
	defer client.Close()
	return verify.Compare(ctx, verify.Config{Log: client, Progress: progress}, snap)
}

// reachable puts the server's host in the place of one that means any.
func reachable(kafka, server string) string {
	host, port, err := net.SplitHostPort(kafka)
	if err != nil {
		return kafka
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort(server, port)
	}
	return kafka
}
