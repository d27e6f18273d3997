package main

import (
	"context"
	"errors"
	"fmt"
	stdio "io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"speedlayer/node"
	"speedlayer/spark/worker"
)

type sparkWorkerFlags struct {
	cluster       clusterFlags
	snapshotEvery time.Duration
	log           logFlags
}

func newSparkWorker(io streams) *cobra.Command {
	var f sparkWorkerFlags
	cmd := &cobra.Command{
		Use:   "spark-worker --kafka HOST:PORT,... --store URL",
		Short: "Process the ranges that Spark plans; Spark starts it itself",
		Long: `The process beside each executor of Spark, and beside its driver. The source in
speedlayer-spark.jar starts it, and asks it over a Unix socket, whose path is the
first line that it prints. It ends when its standard input ends.`,
		Example: "  speedlayer spark-worker --kafka kafka1:9092 --store hbase://zk1:2181/hbase",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runSparkWorker(cmd.Context(), io, f) },
	}
	flags := cmd.Flags()
	f.cluster.kafka.add(flags, "of the cluster")
	flags.StringVar(&f.cluster.store, "store", "", "`URL` of the store: "+sharedForm)
	flags.DurationVar(&f.snapshotEvery, "snapshot-every", 10*time.Second, "pause between snapshots of operator state; a takeover replays at most that much log")
	f.log.add(flags, "info")
	return cmd
}

// config checks the flags.
func (f *sparkWorkerFlags) config(errs stdio.Writer) (n node.Config, err error) {
	if n.Logger, err = f.log.logger(errs); err != nil {
		return n, err
	}
	if n.Kafka, err = f.cluster.kafka.config(); err != nil {
		return n, err
	}
	if err := f.cluster.applyStore(&n); err != nil {
		return n, err
	}
	if len(n.Kafka.Brokers) == 0 || n.OpenStore == nil {
		return n, usagef("Spark's executors need a queue and a store that they share: --kafka HOST:PORT,... and --store %s", sharedForm)
	}
	if f.snapshotEvery <= 0 {
		return n, usagef("--snapshot-every %v: allowed is more than 0", f.snapshotEvery)
	}
	n.Kafka.Replication, n.SnapshotEvery = -1, f.snapshotEvery
	return n, nil
}

func runSparkWorker(ctx context.Context, io streams, f sparkWorkerFlags) error {
	config, err := f.config(io.err)
	if err != nil {
		return err
	}
	// Only this user may enter, for whoever asks may have anything processed.
	dir, err := os.MkdirTemp("", "speedlayer-spark-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder that stays is not a loss
	socket := filepath.Join(dir, "worker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the input, or the process
		_, _ = stdio.Copy(stdio.Discard, io.in)
		stop()
	}()
	planned := node.NewPlanned(config, explainKafka)
	fmt.Fprintf(io.out, "speedlayer-spark-worker 1 %s\n", socket)
	config.Logger.Info("works for Spark", "kafka", config.Kafka.Brokers, "store", config.StoreName)
	err = (&worker.Server{Engine: planned, Logger: config.Logger}).Serve(ctx, l)
	return errors.Join(err, planned.Close())
}
